"""What commands say on standard output, and show on a terminal meanwhile."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from incentive_engine.errors import DataError, Fault


def say(text: str) -> None:
    """Write a line to standard output.

    Raises
    ------
    DataError
        When nothing can be written there, such as to a file on a full disk. A reader that went
        away is no error of the program's; Typer ends it with exit code 1.
    """
    try:
        typer.echo(text)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        what = f"nothing can be written there: {error.strerror}"
        remedy = "free some room or send it elsewhere; files that the command had written stay"
        raise DataError(Fault("standard output", what, remedy=remedy)) from error


@contextmanager
def shown(step: str, parts: float = 0) -> Iterator[Callable[[float], None]]:
    """Show on a terminal what is being done, with the share done and the time left where known.

    Nothing elsewhere.
    """
    if not sys.stderr.isatty():
        yield lambda _parts: None
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not parts:
        with console.status(f"{step} …"):
            yield lambda _parts: None
        return
    from rich.progress import Progress

    # rich's own columns: name, bar, share done, time left
    with Progress(console=console, transient=True) as bars:
        task = bars.add_task(step, total=parts)
        yield lambda more: bars.advance(task, more)
