"""Files and folders that are being written and have no name yet.

Who writes one holds its lock, which the system lets go of however the process ends. So what a
killed process has left is told from what another one is writing, and removed by the next try.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

_unfinished: set[Path] = set()
"""What this process is writing now."""


def unfinished_name(path: Path) -> Path:
    """Return a new name beside a path for what becomes it."""
    return path.with_name(f".{path.stem}.{secrets.token_hex(4)}.partial{path.suffix}")


@contextmanager
def noted(partial: Path) -> Iterator[None]:
    """Let `remove_unfinished` know of something that is being written."""
    _unfinished.add(partial)
    try:
        yield
    finally:
        _unfinished.discard(partial)


@contextmanager
def held(partial: Path) -> Iterator[None]:
    """Hold the lock of something that exists and is being written."""
    handle = os.open(partial, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network disks have no locks, and keep what is left
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def remove_abandoned(path: Path) -> None:
    """Remove what killed processes had begun to write in place of a path."""
    # seconds within which something new may not have its lock yet
    fresh = 10.0
    with suppress(OSError):  # a folder that may not be looked into, or is not there yet
        for partial in path.parent.glob(f".{_plain(path.stem)}.????????.partial{path.suffix}"):
            if time.time() - partial.lstat().st_mtime > fresh and _is_abandoned(partial):
                remove_path(partial)


def _plain(name: str) -> str:
    """Return a pattern that only this name fits."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _is_abandoned(partial: Path) -> bool:
    handle = os.open(partial, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def remove_path(path: Path) -> None:
    """Remove a file or folder; what hinders that hides no error of the caller's."""
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.unlink(missing_ok=True)


def remove_unfinished() -> None:
    """Remove all that is being written, before a process ends that cannot clean up any more."""
    for path in tuple(_unfinished):
        remove_path(path)


def leave_nothing(code: int, word: str = "") -> NoReturn:
    """End this process now, with what it had begun to write, and its own processes.

    For a stop that may come anywhere, inside a library too: an exception that is raised there can
    become one of the library's, or be lost.

    Parameters
    ----------
    word
        Said on standard error once nothing is left.
    """
    for child in multiprocessing.active_children():
        child.terminate()
    remove_unfinished()
    with suppress(OSError):
        os.write(2, word.encode())
    os._exit(code)
