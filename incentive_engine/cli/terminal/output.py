"""What commands say on standard output, and show on a terminal meanwhile."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import typer

from incentive_engine.errors import ConfigError, DataError, Fault
from incentive_engine.language import LANGUAGES, Code, Text, language
from incentive_engine.language import say as message
from incentive_engine.language.wording import named

_spoken: ContextVar[Code] = ContextVar("spoken", default="en")
"""The language of this command."""


def speak_in(code: Code) -> None:
    """Let this command speak a language."""
    _spoken.set(code)


def spoken() -> Code:
    """Return the language that this command speaks."""
    return _spoken.get()


def spoken_at_home() -> Code:
    """Return the language of the user's locale, as far as the program speaks it.

    Notes
    -----
    POSIX, Base Definitions, 8.2: LC_ALL goes before LC_MESSAGES, and that before LANG.
    """
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next((name for name in names if name), "")
    return "zh" if locale.lower().startswith("zh") else "en"


def taken_language(words: list[str]) -> tuple[Code, list[str]]:
    """Return the language that a command line asks for, and its other words.

    >>> taken_language(["allocate", "--lang", "zh", "--json"])
    ('zh', ['allocate', '--json'])

    Raises
    ------
    ConfigError
        When it is none that the program speaks.
    """
    # the command line goes before the locale
    asked: str = spoken_at_home()
    others: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word == "--lang":
            asked = next(remaining, "")
        elif word.startswith("--lang="):
            asked = word.partition("=")[2]
        else:
            others.append(word)
    for code in LANGUAGES:
        if asked == code:
            return code, others
    raise ConfigError(
        Fault("--lang", message("`{asked}` is no language", asked=asked), "`en` or `zh`")
    )


def say(*texts: Text) -> None:
    """Write lines to standard output, in the command's language.

    Raises
    ------
    DataError
        When nothing can be written there, such as to a file on a full disk. A reader that went
        away has heard enough: what follows is said to nobody.
    """
    try:
        typer.echo("\n".join(language(spoken()).say(text) for text in texts))
    except OSError as error:
        if error.errno == errno.EPIPE:
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - to the end
            return
        what = message("nothing can be written there: {reason}", reason=error)
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
    name = language(spoken()).say(named("steps", step.replace(" ", "_")))
    if not parts:
        with console.status(f"{name} …"):
            yield lambda _parts: None
        return
    from rich.progress import Progress

    # rich's own columns: name, bar, share done, time left
    with Progress(console=console, transient=True) as bars:
        task = bars.add_task(name, total=parts)
        yield lambda more: bars.advance(task, more)
