# ruff: noqa: N802, ARG002 - names and arguments are SQLite's
"""A disk in memory on which SQLite runs, and which loses at a power cut what was not synced.

Every write, truncation, deletion and sync is a step, and a step can be the last before the power
goes, or fail for want of room or of a good disk. After a cut a file holds what was synced, and of
each later write some sectors, all or none; a file that was never synced may be gone.

The journal's index is kept in the memory of its one connection (``locking_mode=EXCLUSIVE``), as
SQLite asks of file systems without shared memory; all else is what the ledger asks for itself.
"""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import apsw

SECTOR: Final = 512
_disks = itertools.count()


class PowerError(apsw.IOError):
    """The power has gone."""


@dataclass(slots=True)
class Content:
    """What a file holds, what of it is safe, and what was written since."""

    now: bytearray = field(default_factory=bytearray)
    safe: bytearray | None = None
    """None until the file was synced once: its name may be lost as well."""
    since: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Writes, and truncations to a size, since the last sync."""

    def write(self, at: int, data: bytes) -> None:
        _overwrite(self.now, at, data)
        self.since.append((at, data))

    def truncate(self, size: int) -> None:
        del self.now[size:]
        self.since.append((size, None))

    def sync(self) -> None:
        self.safe, self.since = bytearray(self.now), []

    def left(self, rng: random.Random) -> Content | None:
        """Return what a power cut leaves of it; None for nothing."""
        kept = rng.choice([0.0, 0.5, 1.0])
        if self.safe is None and rng.random() >= kept:
            return None
        content = bytearray(self.safe or b"")
        for at, data in self.since:
            if data is None:
                if rng.random() < kept:
                    del content[at:]
                continue
            for start in range(0, len(data), SECTOR):
                if rng.random() < kept:
                    _overwrite(content, at + start, data[start : start + SECTOR])
        return Content(bytearray(content), content)


def _overwrite(content: bytearray, at: int, data: bytes) -> None:
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at : at + len(data)] = data


class Disk(apsw.VFS):
    """A disk of files in memory.

    Attributes
    ----------
    steps
        How many steps it has made.
    fails_at
        The step that fails, with `failure`; after a power cut all later ones do as well.
    syncs
        Whether it syncs when it is asked to; otherwise it only says so.
    """

    def __init__(self, files: dict[str, Content] | None = None) -> None:
        self.name = f"virtual disk {next(_disks)}"
        self.files = files or {}
        self.steps, self.fails_at = 0, -1
        self.failure: type[Exception] = PowerError
        self.syncs = True
        self.is_dead = False
        super().__init__(self.name, base="")

    def step(self) -> None:
        """Make one step, or fail."""
        self.steps += 1
        if self.steps == self.fails_at:
            self.is_dead = self.failure is PowerError
            raise self.failure
        if self.is_dead:
            raise PowerError

    def after_power_cut(self, rng: random.Random) -> Disk:
        """Return the disk as it is found when the power is back."""
        left = {name: content.left(rng) for name, content in self.files.items()}
        return Disk({name: content for name, content in left.items() if content is not None})

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        flags[1] = flags[0]
        return File(self, self.files.setdefault(path or f"temporary {self.steps}", Content()))

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: FBT001 - as SQLite calls it
        self.step()
        if self.files.pop(filename, None) is None:
            raise apsw.IOError

    def xAccess(self, pathname: str, flags: int) -> bool:
        return pathname in self.files

    def xFullPathname(self, name: str) -> str:
        return name

    @contextmanager
    def connected(self, path: Path) -> Iterator[Connection]:
        """Yield a connection to one of its files."""
        connection = Connection(self, path)
        try:
            yield connection
        finally:
            connection.close()


class File:
    """An open file."""

    def __init__(self, disk: Disk, content: Content) -> None:
        self._disk, self._content = disk, content

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._content.now[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.step()
        self._content.write(offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:
        self._disk.step()
        self._content.truncate(newsize)

    def xSync(self, flags: int) -> None:
        self._disk.step()
        if self._disk.syncs:
            self._content.sync()

    def xFileSize(self) -> int:
        return len(self._content.now)

    def xLock(self, level: int) -> None:
        """Lock nothing: one connection has the disk."""

    def xUnlock(self, level: int) -> None:
        """Unlock nothing."""

    def xCheckReservedLock(self) -> bool:
        return False

    def xSectorSize(self) -> int:
        return SECTOR

    def xDeviceCharacteristics(self) -> int:
        return 0

    def xFileControl(self, op: int, ptr: int) -> bool:
        return False

    def xClose(self) -> None:
        """Close nothing."""


class Connection:
    """A connection as `sqlite3` has them, to a file of a virtual disk."""

    def __init__(self, disk: Disk, path: Path) -> None:
        with _translated():
            self._own = apsw.Connection(str(path), vfs=disk.name)
            self._own.execute("PRAGMA locking_mode = EXCLUSIVE")

    def execute(self, sql: str, bindings: Sequence[Any] = ()) -> Any:
        with _translated():
            return self._own.execute(sql, tuple(bindings))

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> Any:
        with _translated():
            return self._own.executemany(sql, [tuple(row) for row in rows])

    def create_function(self, name: str, values: int, made: Any, *, deterministic: bool) -> None:
        self._own.create_scalar_function(name, made, values, deterministic=deterministic)

    def set_progress_handler(self, handler: Callable[[], Any] | None, steps: int) -> None:
        self._own.set_progress_handler(handler, max(steps, 1))

    @property
    def in_transaction(self) -> bool:
        return bool(self._own.in_transaction)

    def close(self) -> None:
        # as `sqlite3` does: what cannot be brought into the file stays in the log
        with _translated(), suppress(apsw.Error):
            self._own.close(force=True)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise the errors of `sqlite3`."""
    try:
        yield
    except (apsw.IOError, apsw.FullError, apsw.CantOpenError) as error:
        raise sqlite3.OperationalError(str(error)) from error
    except (apsw.CorruptError, apsw.NotADBError, apsw.ConstraintError) as error:
        raise sqlite3.DatabaseError(str(error)) from error
