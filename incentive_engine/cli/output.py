"""What commands say on standard output, and show on a terminal meanwhile."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import typer

from incentive_engine.errors import DataError, Fault


def say(text: str) -> None:
    """Write a line to standard output.

    Raises
    ------
    DataError
        When nothing can be written there, such as to a file on a full disk. A reader that went
        away has heard enough: what follows is said to nobody.
    """
    try:
        typer.echo(text)
    except OSError as error:
        if error.errno == errno.EPIPE:
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - to the end
            return
        what = f"nothing can be written there: {error.strerror}"
        remedy = "free some room or send it elsewhere; files that the command had written stay"
        raise DataError(Fault("standard output", what, remedy=remedy)) from error


def shown(step: str) -> AbstractContextManager[object]:
    """Show on a terminal what is being done; nothing elsewhere."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(f"{step} …")


@contextmanager
def counted(total: int) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many draws are done; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("draws", total=total)
        yield lambda done: progress.advance(task, done)
