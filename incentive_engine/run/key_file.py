"""Secret keys: from the environment or from a file that nobody else may write to."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from incentive_engine.errors import ConfigError, DataError, Fault
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A key, and what is unsafe about where it came from."""

    content: bytes = field(repr=False)
    warnings: tuple[str, ...] = ()


def read_secret(file: Path | None, *, option: str, variable: str) -> Secret | None:
    """Return the key of a file, or of the environment where none is named.

    Parameters
    ----------
    option
        What names the file on the command line.
    variable
        What holds the key in the environment.

    Raises
    ------
    ConfigError
        When it is too short or too long, or others may write to the file.
    DataError
        When the file cannot be read.
    """
    where = variable if file is None else f"{option} {file}"
    # bytes; a shorter key could be found by trying, and what is longer is another file
    shortest, longest = 16, 4_096
    content, warnings = _of_environment(variable), tuple[str, ...]()
    if file is not None:
        content, warnings = _of_file(file, where, most=longest)
    # editors end a file with a line feed, which is no part of a key
    content = content.strip()
    if file is None and not content:
        return None
    if not shortest <= len(content) <= longest:
        expected = (
            say("at least {shortest}", shortest=shortest)
            if len(content) < shortest
            else say("at most {longest}", longest=longest)
        )
        remedy = "make one with `openssl rand -hex 32`, and keep it"
        raise ConfigError(
            Fault(where, say("a key of {count} bytes", count=len(content)), expected, remedy)
        )
    return Secret(content=content, warnings=warnings)


def _of_environment(variable: str) -> bytes:
    return os.environ.get(variable, "").encode(errors="surrogateescape")


def _of_file(file: Path, where: str, *, most: int) -> tuple[bytes, tuple[str, ...]]:
    try:
        # a FIFO that nobody writes to would be waited for
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            state = os.fstat(handle)
            if not stat.S_ISREG(state.st_mode):
                raise ConfigError(Fault(where, "is no file", "a file that holds a key"))
            return os.read(handle, most + 1), _warnings(state, file, where)
        finally:
            os.close(handle)
    except OSError as error:
        raise DataError(
            Fault(where, say("cannot be read: {reason}", reason=error), remedy="look at the path")
        ) from error


def _warnings(state: os.stat_result, file: Path, where: str) -> tuple[str, ...]:
    """Return a warning where others may read the key.

    Raises
    ------
    ConfigError
        Where others may write it: they would choose the key.
    """
    remedy = say("chmod 600 {file}", file=file)
    # of the open file, not of its path: what stands there may change in between
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or state.st_uid not in {0, os.geteuid()}:
        what = "others may write to it, and could put a key of theirs there"
        raise ConfigError(Fault(where, what, "a file of your own, mode 0600", remedy))
    if state.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return (str(Fault(where, "others may read the key", remedy=remedy)),)
    return ()
