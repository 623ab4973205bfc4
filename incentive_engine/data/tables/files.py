"""Tables on disk, written whole or not at all."""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from incentive_engine.data.tables.formats import is_parquet
from incentive_engine.data.tables.unfinished import (
    held,
    noted,
    remove_abandoned,
    remove_path,
    unfinished_name,
)
from incentive_engine.errors import DataError, Fault, near_name
from incentive_engine.language import Text, say


def digest_file(path: Path) -> str:
    """Return a file's sha256 in hexadecimal; of a directory's parts, that of their digests.

    Raises
    ------
    DataError
        When it is missing or cannot be read.
    """
    if path.is_dir() and (parts := _parts_of(path)):
        digests = "".join(map(digest_file, parts))
        return hashlib.sha256(digests.encode()).hexdigest()
    try:
        state = path.stat()
        identity = (path.absolute(), state.st_dev, state.st_ino, state.st_size, state.st_ctime_ns)
        # nanoseconds after which a file's time of change would show another change
        settled = time.time_ns() - state.st_ctime_ns > 1_000_000_000
        return _kept_digest(*identity) if settled else _digest(path)
    except OSError as error:
        raise DataError(unreadable(path, error)) from error


def _parts_of(path: Path) -> list[Path]:
    inside = sorted(path.iterdir())
    return [file for file in inside if is_parquet(file) and file.name[0] not in "._"]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.lru_cache(maxsize=1024)
def _kept_digest(path: Path, *_state: int) -> str:
    """Return the digest of a file in a state, which a run asks for more than once."""
    return _digest(path)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield an empty directory that becomes `path` at the end, or vanishes on any error.

    Raises
    ------
    DataError
        When `path` exists, the disk is full, or the place may not be written to.
    """
    with _in_place_of(path) as partial:
        partial.mkdir(mode=0o700)
        with held(partial):
            yield partial
        for file in sorted(partial.rglob("*")):
            _make_private(file)
            sync(file)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield the path of a file that becomes `path` at the end, or vanishes on any error.

    Raises
    ------
    DataError
        When `path` exists, the disk is full, or the place may not be written to.
    """
    with _in_place_of(path) as partial:
        partial.touch()
        with held(partial):
            yield partial


@contextmanager
def _in_place_of(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` that is renamed to it at the end, or removed on any error."""
    if os.path.lexists(path):
        remedy = "name another, or remove it first"
        raise DataError(Fault(str(path), "exists already", "a new place", remedy))
    path = path.absolute()
    partial = unfinished_name(path)
    remove_abandoned(path)
    parents = [folder for folder in path.parents if not folder.exists()]
    with noted(partial):
        try:
            with writing_to(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                yield partial
                publish(partial, path)
        except BaseException:
            _remove(partial, parents)
            raise


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Say in words why a place cannot be written to.

    Raises
    ------
    DataError
        In place of an `OSError` about the disk, `path`, or what it stands in.
    """
    try:
        yield
    except OSError as error:
        if fault := _unwritable(path.absolute(), error):
            raise DataError(fault) from error
        raise


def publish(partial: Path, path: Path) -> None:
    """Give a finished file or directory its name, in place of what had it.

    The content is on the disk before the name is, so that no crash leaves half of it.
    """
    _make_private(partial)
    sync(partial)
    partial.replace(path)
    sync(path.parent)


def _make_private(path: Path) -> None:
    """Leave a file or directory to its owner alone: it may hold what is known of customers."""
    path.chmod(0o700 if path.is_dir() else 0o600)


def _remove(partial: Path, made: list[Path]) -> None:
    """Remove what was begun, and the parents made for it; what hinders that hides no error."""
    remove_path(partial)
    for folder in made:
        with suppress(OSError):
            folder.rmdir()


def sync(path: Path) -> None:
    """Ask the disk to keep a file or directory, so that a rename never precedes its content."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(path: Path, error: OSError) -> Fault | None:
    """Return the fault that an error means, or None when it is about another file."""
    ours = error.filename is None or path.parent in (
        Path(error.filename),
        *Path(error.filename).parents,
    )
    what: Text
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        what, remedy = "the disk is full; nothing half-written stays", "free some space"
    elif not ours:
        return None
    elif error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        what, remedy = "may not be written to", "name another place, or ask for access"
    else:
        what, remedy = say("cannot be written: {reason}", reason=error), "name another place"
    return Fault(str(path), what, remedy=remedy)


LOOK: Final = "look at the path"
"""What to do about a file that is not there."""


def check_suffix(path: Path) -> None:
    """Refuse a file that is neither CSV nor Parquet by its name.

    Raises
    ------
    DataError
        When its suffix is unknown.
    """
    if path.suffix.lower() != ".csv" and not is_parquet(path):
        what = say("ends in `{suffix}`", suffix=path.suffix) if path.suffix else "has no suffix"
        raise DataError(Fault(str(path), what, ".csv or .parquet"))


def unreadable(path: Path, error: OSError) -> Fault:
    """Return the fault that hinders reading a file, in words."""
    if isinstance(error, FileNotFoundError):
        here = path.parent
        names = [p.name for p in here.iterdir() if p.is_file()] if here.is_dir() else []
        near = near_name(path.name, names)
        remedy: Text = say("did you mean `{name}`?", name=near) if near else LOOK
        return Fault(str(path), "no such file", remedy=remedy)
    if isinstance(error, IsADirectoryError):
        return Fault(str(path), "is a directory", "a file", "name the file itself")
    what = say("cannot be read: {reason}", reason=error)
    return Fault(str(path), what, remedy="ask for access, or name another file")
