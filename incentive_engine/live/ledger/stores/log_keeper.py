"""Brings the log of a ledger in a file into the file itself, beside the commits that go on.

A commit appends pages to the log and syncs it. From there they come into the file: by the
thousand, in no order on the disk, which takes as long as hundreds of commits. So a thread does it,
over a connection of its own. What was logged meanwhile is little: it comes in between two commits,
and the log begins again at its start.

SQLite before 3.51.3 can damage a file when a log begins again while a connection that looked at it
before brings it in. So while the thread works, a third connection reads the ledger as it stood
when the round began, and no log begins again of which somebody reads. One that has come in whole
is not read any more, and could begin again all the same: a round begins only after a commit.
"""

from __future__ import annotations

import os
import sqlite3
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from incentive_engine.knobs import Knobs, knob


class Progress(NamedTuple):
    """Pages that are logged, those of them that have come in, and the seconds it took."""

    logged: int
    brought_in: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LogParams(Knobs):
    """How long the log of a ledger may grow."""

    round: int = knob(1_000, 1, 10**9)
    """Pages in the log after which a round may begin."""
    longest: int = knob(10_000, 1, 10**9)
    """Pages in the log after which one begins in any case."""
    between: int = knob(300, 0, 10**9)
    """Pages that may come in between two commits."""


class LogKeeper:
    """Keeps the log of a ledger short; it is called by the thread that commits.

    Parameters
    ----------
    path
        The ledger.
    database
        The connection that writes it.
    params
        How long the log may grow; None as the program does.
    """

    def __init__(
        self, path: Path, database: sqlite3.Connection, params: LogParams | None = None
    ) -> None:
        self._params = params or LogParams()
        self._path, self._database = path, database
        self._beside: _Beside | None = None
        self._round: Future[Progress] | None = None
        self._since, self._due = 0, self._params.round
        self._pages = self._params.round
        # SQLite's own checkpoint would come in the middle of a commit, which then waits for it
        database.execute("PRAGMA wal_autocheckpoint = 0")

    def count(self, pages: int) -> None:
        """Note about how many pages a commit has logged."""
        self._since += pages

    def tend(self) -> None:
        """Begin a round, or end one, where it is time for it; between two transactions.

        Raises
        ------
        sqlite3.OperationalError, OSError
            When the disk fails.
        """
        if self._round is None:
            if self._since >= self._due:
                self._begin()
        elif self._round.done():
            self._go_on(self._end(self._round))

    def bring_in(self) -> None:
        """Bring in all of the log of which nobody reads an older state.

        Raises
        ------
        sqlite3.OperationalError, OSError
            When the disk fails.
        """
        if self._round is not None:
            self._end(self._round)
        _checkpoint(self._database)
        self._since, self._due = 0, self._pages

    def lengthen(self) -> None:
        """Make the log as long as it will come to be.

        A commit that makes a file longer waits for the file system's journal, and with it for what
        other programs have just written. SQLite ends a log at the first page that is none of it.
        """
        log = self._path.with_name(f"{self._path.name}-wal")
        if not log.exists():
            return
        # a page, and the header that it has in a log
        size, length = log.stat().st_size, self._params.longest * (4096 + 24)
        try:
            with log.open("ab") as file:
                file.write(bytes(max(length - size, 0)))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            # no room: it grows as it is written, and takes nothing from the ledger itself
            os.truncate(log, size)

    def close(self) -> None:
        """Let the thread end its round, and close all connections."""
        if self._beside is not None:
            self._beside.stop()
        self._database.close()
        if self._beside is not None:
            self._beside.let_go()

    def _begin(self) -> None:
        if self._beside is None:
            self._beside = _Beside(self._path)
        self._since, self._due = 0, self._pages
        self._round = self._beside.begin()

    def _end(self, ended: Future[Progress]) -> Progress:
        assert self._beside is not None
        self._round = None
        try:
            return ended.result()
        finally:
            self._beside.end()

    def _go_on(self, progress: Progress) -> None:
        # where the same pages change again and again, a long round writes as many as a short one
        # 0.004: seconds that a round is to take: commits meanwhile wait longer for the disk
        fitting = self._pages * min(0.004 / progress.seconds, 2.0)
        self._pages = int(min(max(fitting, self._params.round), self._params.longest))
        left = progress.logged - progress.brought_in
        if left > self._since:
            # somebody else reads an older state, and until he has done no round brings much
            self._due = max(self._pages, progress.logged // 4)
        # pages of a log that comes in between two commits whatever is left
        elif self._since <= self._params.between or progress.logged >= 20_000:
            self.bring_in()
        else:
            self._begin()


class _Beside:
    """A thread that brings a log in, its connection, and the one that reads meanwhile."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._reading = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None
        )
        self._bringing = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._bringing.execute("PRAGMA synchronous = FULL")
        self._bringing.execute("PRAGMA wal_autocheckpoint = 0")
        self._thread = ThreadPoolExecutor(1)

    def begin(self) -> Future[Progress]:
        """Begin a round."""
        # a reader holds the state of now, so that the log cannot be begun anew under the round
        self._reading.execute("BEGIN")
        self._reading.execute("SELECT seq FROM head").fetchone()
        return self._thread.submit(self._bring_in)

    def end(self) -> None:
        """Read no longer what a round has brought in."""
        self._reading.execute("COMMIT")

    def _bring_in(self) -> Progress:
        started = time.perf_counter()
        progress = _checkpoint(self._bringing)
        # SQLite syncs the file with the last page of the log, between two commits: all but that
        # one is to be on the disk by then
        os.fdatasync(self._file)
        return progress._replace(seconds=time.perf_counter() - started)

    def stop(self) -> None:
        """Wait for the round, and close the connections."""
        self._thread.shutdown()
        self._reading.close()
        self._bringing.close()

    def let_go(self) -> None:
        """Close the file, once no connection is left: their locks would end with it."""
        os.close(self._file)


def _checkpoint(database: sqlite3.Connection) -> Progress:
    _, logged, brought_in = database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return Progress(logged, brought_in, 0.0)
