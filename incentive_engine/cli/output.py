"""What commands say on standard output."""

from __future__ import annotations

import errno

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
