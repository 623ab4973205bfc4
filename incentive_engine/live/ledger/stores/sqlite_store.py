"""A ledger in a SQLite file, which one process at a time may write.

WAL with ``synchronous=FULL``: a commit has reached the disk when it returns. Only this process
writes the file and brings its log in (`log_keeper`); others only read, because SQLite before
3.51.3 can damage a file when its log begins again while another connection brings it in.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.live.ledger.commands import Published
from incentive_engine.live.ledger.core import Book
from incentive_engine.live.ledger.records import (
    Action,
    Decision,
    Entry,
    Head,
    LimitState,
    Names,
    Request,
)
from incentive_engine.live.ledger.schema import (
    Query,
    newest_version,
    scripts_from,
)
from incentive_engine.live.ledger.stores.change_buffer import (
    ChangeBuffer,
    Indexes,
    IndexParams,
    digest_of,
    in_pieces,
)
from incentive_engine.live.ledger.stores.log_keeper import LogKeeper
from incentive_engine.live.ledger.stores.store import (
    HeldError,
    Needs,
    Terms,
    UnavailableError,
    decision_of,
    decision_row,
    first_rows,
    limit_of,
    refuse_other_run,
    sums_row,
)
from incentive_engine.pipeline.steps import Progress, quiet


class SQLiteStore:
    """The writing side of a ledger in a file."""

    ANY_OF: ClassVar = f"({', '.join('?' * ChangeBuffer.AT_ONCE)})"
    DECIDED: ClassVar = Decision.columns()
    ANSWERED: ClassVar = (
        "SELECT r.key, r.digest, e.seq, e.at, e.decision, e.state, e.amount, e.chain "  # noqa: S608 - marks
        f"FROM requests r JOIN entries e ON e.seq = r.entry WHERE r.seq IN {ANY_OF}"
    )
    BY_SEQ: ClassVar = f"SELECT {DECIDED} FROM decisions WHERE seq IN {ANY_OF}"  # noqa: S608 - columns of ours
    RUN_OUT: ClassVar = (
        f"SELECT {DECIDED} FROM decisions WHERE state = 'reserved' "  # noqa: S608 - likewise
        f"AND expires_at <= ? ORDER BY expires_at LIMIT {Needs.MOST_DUE}"
    )

    def __init__(
        self,
        path: Path,
        terms: Terms,
        *,
        secret: bytes,
        params: IndexParams | None = None,
        progress: Progress = quiet,
    ) -> None:
        """Open a file for a run, made where it is missing.

        Parameters
        ----------
        secret
            Of a new ledger: what the ids of its decisions are made with.
        params
            How much of its indexes waits in memory; None as the program does.
        progress
            Is told how far a ledger of before is brought up to date.

        Raises
        ------
        DataError
            When another process holds it, or it is no ledger, or one of another run.
        KeyboardInterrupt
            When somebody stops it while it is brought up to date; it stays as it was.
        """
        self.path, self._params = path, params
        # what the last transaction left: nobody else writes, so it need not be read again
        self._kept: tuple[Head, list[LimitState], Indexes] | None = None
        self._lock = _held(path)
        with ExitStack() as opened:
            opened.callback(os.close, self._lock)
            self._db = _connected(path)
            opened.callback(self._db.close)
            self._prepare(terms, secret, progress)
            with _told(path):
                self._log = LogKeeper(path, self._db)
                self._kept = self._read()
            opened.pop_all()

    def _prepare(self, terms: Terms, secret: bytes, progress: Progress) -> None:
        with _told(self.path), _transaction(self._db):
            version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
            if version == 0 and self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
                raise DataError(Fault(str(self.path), "is no ledger", "a new or a ledger's file"))
            scripts = scripts_from(version, str(self.path), is_file=True)
            entries = self._db.execute("SELECT seq FROM head").fetchone()[0] if version else 0
            with _heard(self._db, progress if entries and scripts else quiet, entries):
                for statement in itertools.chain(*(script.split(";") for script in scripts)):
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {newest_version(is_file=True)}")
            if version == 0:
                for table, rows in first_rows(terms, secret).items():
                    for row in rows:
                        self._db.execute(f"INSERT INTO {table} VALUES ({_marks(len(row))})", row)  # noqa: S608 - question marks
            meta = dict(self._db.execute("SELECT name, content FROM meta"))
        limits = [limit_of(row).terms for row in self._db.execute(Query.POOL)]
        refuse_other_run(str(self.path), terms, run=meta["run"], limits=limits)
        self.names = Names(bytes.fromhex(meta["secret"]))

    def begin(self, needs: Needs, now: int) -> Book:
        """Begin a transaction, and return what a batch needs to know.

        Raises
        ------
        UnavailableError
            When the disk fails.
        """
        with _told(self.path):
            self._log.tend()
            return self._begin(needs, now)

    def _begin(self, needs: Needs, now: int) -> Book:
        execute = self._db.execute
        # takes the lock for writing at once, where a plain BEGIN would take it at the first change
        execute("BEGIN IMMEDIATE")
        head, pool, self._indexes = self._kept or self._read()
        # until the commit is through, what is kept is not known to be what the file has
        self._kept = None
        book = Book(names=self.names, head=head, pool=pool)
        if needs.prices and (newest := execute(Query.NEWEST_PRICES).fetchone()) is not None:
            book.prices = Published._make(newest)
        if needs.actions:
            book.actions = [Action._make(row) for row in execute(Query.ACTIONS)]
        for key, digest, *entry in self._all(self.ANSWERED, self._indexes.requests_of(needs.keys)):
            book.requests[key] = Request(digest, entry[0])
            book.answers[entry[0]] = Entry._make(entry)
            needs.decisions.add(entry[2])
        needs.decisions.update(self._indexes.decisions_of(needs.users))
        for row in execute(self.RUN_OUT, (max(now, head.at),)).fetchall():
            book.add(decision_of(row))
            book.due.append(row[0])
        # last, when it is known which of the named decisions were read on the way
        for row in self._all(self.BY_SEQ, needs.decisions - book.decisions.keys()):
            book.add(decision_of(row))
        return book

    def _read(self) -> tuple[Head, list[LimitState], Indexes]:
        seq, at, chain = self._db.execute("SELECT seq, at, chain FROM head").fetchone()
        pool = [limit_of(row) for row in self._db.execute(Query.POOL)]
        return Head(seq=seq, at=at, chain=chain), pool, Indexes(self._db, self._params)

    def _all(self, query: str, values: Iterable[int]) -> Iterator[tuple[Any, ...]]:
        return in_pieces(self._db, query, values, ChangeBuffer.AT_ONCE)

    def commit(self, book: Book) -> None:
        """Write what a batch changed, and wait until the disk has it.

        Raises
        ------
        UnavailableError
            When the disk is full or fails; nothing was written.
        """
        with _told(self.path):
            if book.is_changed:
                self._log.count(self._write(book))
            self._db.execute("COMMIT")
        self._kept = book.head, book.pool, self._indexes

    def _write(self, book: Book) -> int:
        """Write what a batch changed; return about how many pages that are."""
        many, head, marks = self._db.executemany, book.head, _marks
        # what ended goes first: a user whose offer ran out may have a new one in the same batch
        ended = [book.decisions[seq] for seq in sorted(book.changed - set(book.opened))]
        many(
            "UPDATE decisions SET state = ?, amount = ?, last = ? WHERE seq = ?",
            [(d.state, d.amount, d.last, d.seq) for d in ended],
        )
        opened = [decision_row(book.decisions[seq]) for seq in book.opened]
        many(f"INSERT INTO decisions VALUES ({marks(15)})", opened)  # noqa: S608 - question marks
        many(f"INSERT INTO entries VALUES ({marks(6)})", book.entries)  # noqa: S608 - likewise
        many(f"INSERT INTO requests VALUES ({marks(4)})", self._indexes.numbered(book))  # noqa: S608 - likewise
        many("INSERT INTO prices VALUES (?, ?, ?)", book.published)
        many(
            "UPDATE pool SET reserved = ?, settled = ?, overdraft = ?, variance = ?, moved = ? "
            "WHERE place = ?",
            [(*sums_row(book.pool[place]), place) for place in sorted(book.touched)],
        )
        many(f"INSERT INTO actions VALUES ({marks(8)})", book.acted)  # noqa: S608 - question marks
        self._db.execute(
            "UPDATE head SET seq = ?, at = ?, chain = ?", (head.seq, head.at, head.chain)
        )
        # the ends of tables, of which a page takes eight rows; two of each older decision
        return 8 + len(book.entries) // 8 + 2 * len(ended) + self._indexes.follow(book)

    def rollback(self) -> None:
        """End the transaction as if it had never begun."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def announce(self, socket: str) -> None:
        """Note where the process that holds the file can be asked, and get ready for many."""
        self._log.lengthen()
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, socket.encode(), 0)

    def rest(self) -> None:
        """Bring the log into the file; for moments without work.

        Raises
        ------
        UnavailableError
            When the disk fails.
        """
        with _told(self.path):
            self._log.bring_in()

    def close(self) -> None:
        """Let go of the file."""
        self._log.close()
        os.close(self._lock)


def _marks(number: int) -> str:
    return ", ".join("?" * number)


def lock_file(path: Path) -> Path:
    """Return the file whose lock says that a process writes a ledger."""
    return path.with_name(f"{path.name}.lock")


def announced(path: Path) -> str | None:
    """Return where the process that writes a ledger can be asked; None where it told nobody."""
    with contextlib.suppress(OSError):
        return lock_file(path).read_text(encoding="utf-8") or None
    return None


def _held(path: Path) -> int:
    """Return the handle of a lock on a ledger, which the system takes back when we end."""
    try:
        handle = os.open(lock_file(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        what = say("cannot be opened: {reason}", reason=error)
        raise DataError(Fault(str(path), what, "a file in a folder that may be written")) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        remedy = "stop it, name another ledger, or share one with postgresql://…"
        raise HeldError(Fault(str(path), "another process writes it", remedy=remedy)) from None
    os.ftruncate(handle, 0)
    return handle


def _connected(path: Path) -> sqlite3.Connection:
    with _told(path), ExitStack() as opened:
        # no isolation level: the library must not begin transactions of its own
        database = sqlite3.connect(path, isolation_level=None, cached_statements=64)
        opened.callback(database.close)
        # readers go on while a batch is written, and a commit is one write to the end of the log;
        # FULL waits for the disk at each; the cache is given in KiB, which a minus stands for
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA cache_size = -65536")
        database.create_function("digest", 1, digest_of, deterministic=True)
        opened.pop_all()
        return database


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if database.in_transaction:  # what is interrupted has been rolled back already
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


@contextmanager
def _heard(database: sqlite3.Connection, progress: Progress, entries: int) -> Iterator[None]:
    """Tell how far the statements that bring a ledger up to date are; let them be interrupted."""
    # instructions of SQLite's for each entry, about as many as the last step takes
    work = 80
    # times at which it is told how far they are
    parts = 200
    with progress("bring the ledger up to date", parts) as advance:
        # signals are heard here as well, between two instructions
        database.set_progress_handler(lambda: advance(1), max(1_000, entries * work // parts))
        try:
            yield
        except sqlite3.OperationalError as error:
            # what a handler of signals raises is lost on its way through the library
            lost = {"interrupted", "user-defined function raised exception"}
            if str(error) in lost:
                raise KeyboardInterrupt from error
            raise
        finally:
            database.set_progress_handler(None, 0)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell an error of the database as one of the ledger."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        remedy = "free some room, or see to the disk; nothing of it was written"
        raise UnavailableError(
            Fault(str(path), say("cannot be written: {reason}", reason=error), "", remedy)
        ) from error
    except sqlite3.DatabaseError as error:
        what = say("is no ledger, or is damaged: {reason}", reason=error)
        raise DataError(Fault(str(path), what, remedy="name another file, or a copy")) from error


def copy(path: Path, to: Path) -> None:
    """Write a consistent copy of a ledger, also while a server writes it.

    Raises
    ------
    DataError
        When there is no ledger, or something stands at `to` already.
    """
    if to.exists():
        raise DataError(Fault(str(to), "is there already", "a new file"))
    reading = connect_read_only(path)
    try:
        with _told(path):
            reading.execute("VACUUM INTO ?", [str(to)])
    finally:
        reading.close()


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot change a ledger.

    Raises
    ------
    DataError
        When there is no such file.
    """
    if not path.is_file():
        raise DataError(Fault(str(path), "no such ledger", "what `serve` has written"))
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
