"""Runs one command, and turns what it raises into a message and an exit code."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import traceback
from typing import Any, NoReturn

import typer

from incentive_engine.cli.app import app
from incentive_engine.cli.terminal.help import speak
from incentive_engine.cli.terminal.output import speak_in, spoken, taken_language
from incentive_engine.cli.terminal.signals import (
    Stop,
    ends_soon,
    exit_code,
    signal_of,
)
from incentive_engine.cli.terminal.surroundings import check_surroundings, in_words, open_streams
from incentive_engine.cli.terminal.usage import wrong_usage
from incentive_engine.errors import IncentiveError
from incentive_engine.language import language


def run() -> NoReturn:
    """Run the command line's command, and end the process.

    To take apart what a plan has loaded takes a tenth of the time that making the plan took, and
    nothing in it needs that: files are closed where they are written. So once all that is to be
    done at the end is done, the process just ends.
    """
    code: object = 0
    open_streams()
    try:
        main()
    except SystemExit as end:
        code = end.code
    if any(not thread.daemon for thread in threading.enumerate()[1:]):
        sys.exit(code)
    atexit._run_exitfuncs()  # noqa: SLF001 - child processes, temporary directories
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # nobody reads any more
        pass
    os._exit(code if isinstance(code, int) else int(code is not None))


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and exit: 0 done, 1 the answer is no, 2 bad input, 3 internal error."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # numpy is not loaded yet; its sums depend on threads
    os.umask(0o077)  # runs, exports, caches and ledgers hold ids of customers
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"] or ["--help"]
    stop = Stop()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    # Typer brings its own Click, or uses the public one
    usage_error: Any = typer.BadParameter.__base__
    try:
        code, words = taken_language(words)
        speak_in(code)
        check_surroundings(words)
        with ends_soon(stop):
            sys.exit(_run(words or ["--help"]))
    except IncentiveError as error:
        _fail(error, message=error.text(spoken()), code=error.exit_code, debug=debug)
    except usage_error as error:
        where = error.ctx.command_path if error.ctx else "incentive"
        message = wrong_usage(where, error.format_message()).text(spoken())
        _fail(error, message=message, code=2, debug=debug)
    except KeyboardInterrupt as error:
        _fail(error, message=_told("stopped"), code=exit_code(signal.SIGINT), debug=debug)
    except Exception as error:  # noqa: BLE001 - the one place where a defect becomes an exit code
        if (number := signal_of(error)) is not None:
            _fail(error, message=_told("stopped"), code=exit_code(number), debug=debug)
        cause = in_words(error)
        if cause is not None:
            _fail(error, message=cause.text(spoken()), code=cause.exit_code, debug=debug)
        message = _told("internal", kind=type(error).__name__, error=str(error))
        _fail(error, message=message, code=3, debug=debug)


def _run(words: list[str]) -> int:
    command: Any = typer.main.get_command(app)
    if spoken() != "en":
        speak(command, language(spoken()))
    result = command.main(args=words, prog_name="incentive", standalone_mode=False)
    if result == exit_code(signal.SIGINT):  # what Typer makes of Ctrl-C
        raise KeyboardInterrupt
    return result if isinstance(result, int) else 0


def _told(key: str, **values: str) -> str:
    """Return a text of the terminal's own in the command's language."""
    return language(spoken())(f"terminal.{key}", **values)


def _fail(error: BaseException, *, message: str, code: int, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exception(error)
    typer.echo(message.encode(errors="backslashreplace").decode(), err=True)
    sys.exit(code)
