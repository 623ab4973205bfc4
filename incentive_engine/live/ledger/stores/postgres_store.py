"""A ledger in PostgreSQL, which several servers share; needs the extra `postgres`.

A batch locks the row at the end of the chain, so that the batches of all servers follow each
other. It reads what it needs with the lock, in one round trip, and writes and commits in another:
one statement a table, whatever the number of rows.

While the database reads, a batch is decided on a guess: that its keys are new, its users have
nothing, and nothing has run out; and, where nobody else has written of late, that the ledger ends
as this server left it. What comes of it is written where that is what was read, and thrown away
otherwise. Where others write as well, they have the lock as soon as a batch is in the log, before
the log is on disk: who goes on from it has both on disk with his own, or neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar

from incentive_engine.config.access.database_url import read_database_url
from incentive_engine.live.ledger.chain import START
from incentive_engine.live.ledger.commands import Published
from incentive_engine.live.ledger.core import Book
from incentive_engine.live.ledger.records import (
    Action,
    Entry,
    Head,
    LimitState,
    Names,
    Request,
)
from incentive_engine.live.ledger.schema import Query, newest_version, scripts_from
from incentive_engine.live.ledger.stores.postgres_connection import connected, told
from incentive_engine.live.ledger.stores.postgres_pipeline import (
    Call,
    Pipeline,
    Row,
    array,
    bytes_of,
    columns,
    records,
    text_of,
    typed,
)
from incentive_engine.live.ledger.stores.postgres_statements import ANSWERS, STATEMENTS
from incentive_engine.live.ledger.stores.store import (
    Needs,
    Terms,
    decision_of,
    decision_row,
    first_rows,
    limit_of,
    refuse_other_run,
    sums_row,
)

Answers = Mapping[str, Sequence[Row]]
"""The rows of each statement, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The end of the ledger, and the pool, as a transaction left them.

    Attributes
    ----------
    xmin
        The number of the transaction.
    """

    xmin: str
    head: Head
    pool: list[LimitState]


class PostgresStore:
    """One server's connection to a ledger that others write as well."""

    SCHEMA: ClassVar[str] = "incentive_ledger"
    """The schema that holds the tables; one database holds one ledger."""

    NOBODY: ClassVar = "0"
    """The number of no transaction."""

    COMMIT: ClassVar[tuple[Call, ...]] = (("commit", ()),)
    SHARED_COMMIT: ClassVar[tuple[Call, ...]] = (("hasten", ()), *COMMIT, ("flush", ()))
    """Lets others have the lock before the disk has the batch; no answer leaves before it has."""

    def __init__(self, url: str, terms: Terms, *, secret: bytes) -> None:
        """Connect to a ledger for a run, made where it is missing.

        Parameters
        ----------
        secret
            Of a new ledger: what the ids of its decisions are made with.

        Raises
        ------
        UnavailableError
            When the server does not answer.
        DataError
            When the ledger is one of another run.
        """
        database = read_database_url(url, where="--ledger")
        self.where = database.shown
        self._db = connected(database)
        try:
            with self._told():
                self._prepare(terms, secret)
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, terms: Terms, secret: bytes) -> None:
        db = self._db
        # two servers that start at once must not both make the tables
        db.execute("SELECT pg_advisory_xact_lock(hashtextextended('incentive ledger', 0))")
        db.execute(f"CREATE SCHEMA IF NOT EXISTS {PostgresStore.SCHEMA}")
        db.execute(f"SET search_path TO {PostgresStore.SCHEMA}")
        is_new = db.execute("SELECT to_regclass('meta') IS NULL").fetchone()[0]
        version = 0
        if not is_new:
            row = db.execute("SELECT content FROM meta WHERE name = 'version'").fetchone()
            version = int(row[0])
        for script in scripts_from(version, self.where, is_file=False):
            # what the tables of a file are called in PostgreSQL
            for old, new in (
                ("BLOB", "BYTEA"),
                ("seq INTEGER PRIMARY KEY", "seq BIGINT PRIMARY KEY"),
            ):
                script = script.replace(old, new)  # noqa: PLW2901 - step by step
            db.execute(script)
        if is_new:
            self._fill(terms, secret)
        db.execute(
            "UPDATE meta SET content = %s WHERE name = 'version'",
            [str(newest_version(is_file=False))],
        )
        meta = dict(db.execute("SELECT name, content FROM meta").fetchall())
        limits = [limit_of(row).terms for row in db.execute(Query.POOL).fetchall()]
        refuse_other_run(self.where, terms, run=meta["run"], limits=limits)
        db.commit()
        db.execute(f"SET search_path TO {PostgresStore.SCHEMA}")
        db.commit()
        self.names = Names(bytes.fromhex(meta["secret"]))
        self._terms = terms
        self._snapshot = Snapshot(xmin=self.NOBODY, head=Head(seq=0, at=0, chain=START), pool=[])
        self._asked: tuple[str, ...] = ()
        # of the last batch, as it then most likely is with the next one: whether others had
        # written, and whether anything concerned it
        self._is_shared = self._is_concerned = True
        # whether the book of now is a guess, and whether where the ledger ends is one
        self._is_guess = self._is_end_guessed = False
        self._pipeline = Pipeline(db, STATEMENTS)

    def _fill(self, terms: Terms, secret: bytes) -> None:
        rows = first_rows(terms, secret)
        rows["meta"].append(("version", str(newest_version(is_file=False))))
        with self._db.cursor() as cursor:
            for table, lines in rows.items():
                for line in lines:
                    marks = ", ".join(["%s"] * len(line))
                    cursor.execute(f"INSERT INTO {table} VALUES ({marks})", line)  # noqa: S608 - marks

    def begin(self, needs: Needs, now: int) -> Book:
        """Begin a transaction, and return what a batch needs to know, or a guess at it.

        Raises
        ------
        UnavailableError
            When the server went away.
        """
        names_rows = needs.decisions or needs.prices or needs.actions
        self._is_guess = not self._is_concerned and not names_rows
        self._is_end_guessed = self._is_guess and not self._is_shared
        with self._told():
            self._ask(needs, now)
            if not self._is_end_guessed:
                self._read_end()
            return self._undisturbed() if self._is_guess else self._book(self._read_rest())

    def _ask(self, needs: Needs, now: int) -> None:
        """Lock the ledger, and ask where it ends and what concerns a batch."""
        end: list[Call] = [("begin", ()), ("lock", ()), ("pool", (self._snapshot.xmin,))]
        rest: dict[str, list[str | None]] = {}
        if needs.keys:
            rest["answered"] = [array(needs.keys)]
        rest["concerned"] = [array(needs.decisions), array(needs.users), str(now)]
        if needs.prices:
            rest["newest"] = []
        if needs.actions:
            rest["acted"] = []
        self._asked = tuple(rest)
        # the end is awaited alone where only the rest is guessed
        urgent = len(end) if self._is_guess and not self._is_end_guessed else 0
        self._pipeline.send([*end, *rest.items()], urgent=urgent)

    def _undisturbed(self) -> Book:
        """Return the book of a batch that nothing concerns."""
        pool = [replace(limit) for limit in self._snapshot.pool]
        return Book(names=self.names, head=replace(self._snapshot.head), pool=pool)

    def _read_end(self) -> None:
        """Take the end of the ledger and the pool, which others may have moved."""
        _, lock, pool = self._pipeline.receive(3)
        ((seq, at, chain, xmin),) = typed(lock, (int, int, bytes_of, text_of))
        self._is_shared = xmin != self._snapshot.xmin
        if self._is_shared:
            head = Head(seq=seq, at=at, chain=chain)
            self._snapshot = Snapshot(xmin=xmin, head=head, pool=self._pool_of(pool))

    def _read_rest(self) -> Answers:
        """Return what concerns a batch."""
        rows = dict(zip(self._asked, self._pipeline.receive(), strict=True))
        self._is_concerned = bool(rows["concerned"] or rows.get("answered"))
        return rows

    def _is_right(self, rows: Answers) -> bool:
        """Whether the guess of now is what was read."""
        has_moved = self._is_end_guessed and self._is_shared
        return not (has_moved or rows["concerned"] or rows.get("answered"))

    def _book(self, rows: Answers) -> Book:
        """Return what a batch needs to know."""
        book = self._undisturbed()
        self._add(book, rows["concerned"])
        book.actions = [*map(Action._make, typed(rows.get("acted", []), ANSWERS["acted"]))]
        for key, digest, *entry in typed(rows.get("answered", []), ANSWERS["answered"]):
            book.requests[key] = Request(digest, entry[0])
            book.answers[entry[0]] = Entry._make(entry)
        for newest in typed(rows.get("newest", []), ANSWERS["newest"]):
            book.prices = Published._make(newest)
        # answers name decisions that no command did; few keys come twice, so that the second trip
        # is rare
        named = {entry.decision for entry in book.answers.values()} - book.decisions.keys()
        if named:
            self._add(book, self._pipeline.run([("named", [array(named)])])[0])
        return book

    def _pool_of(self, rows: Sequence[Row]) -> list[LimitState]:
        """Return every limit with its sums."""
        states = []
        for terms, sums in zip(self._terms.limits, typed(rows, ANSWERS["pool"]), strict=True):
            reserved, settled, overdraft, variance, moved = sums
            states.append(
                LimitState(
                    terms=terms,
                    reserved=reserved,
                    settled=settled,
                    overdraft=overdraft,
                    variance=variance,
                    moved=moved,
                )
            )
        return states

    @staticmethod
    def _add(book: Book, rows: Sequence[Row]) -> None:
        for *row, is_due in typed(rows, ANSWERS["concerned"]):
            decision = decision_of(row)
            book.add(decision)
            if is_due == "t":
                book.due.append(decision.seq)

    def commit(self, book: Book) -> Book | None:
        """Write what a batch changed, and wait until the server has it on disk.

        Raises
        ------
        UnavailableError
            When the server went away; whether it was written is known to who asks again.
        """
        with self._told():
            # put into words while the database still reads, where the book is a guess
            writing = [*self._writing(book)]
            if self._is_guess:
                self._is_guess = False
                if self._is_end_guessed:
                    self._read_end()
                rows = self._read_rest()
                if not self._is_right(rows):
                    return self._book(rows)
            ending = self.SHARED_COMMIT if self._is_shared and writing else self.COMMIT
            results = self._pipeline.run([*writing, *ending])
        if writing:
            ((xmin,),) = typed(results[len(writing) - 1], (text_of,))
            self._snapshot = Snapshot(xmin=xmin, head=book.head, pool=book.pool)
        return None

    @staticmethod
    def _writing(book: Book) -> Iterator[Call]:
        """Yield what writes what a batch changed; the last returns its transaction's number."""
        if book.is_changed:
            ended = [book.decisions[seq] for seq in sorted(book.changed - set(book.opened))]
            if ended:
                states = [(d.seq, d.state, d.amount, d.last) for d in ended]
                yield "ended", columns(states, width=4)
            if book.published:
                yield "prices", [records(book.published)]
            if book.acted:
                yield "actions", [records(book.acted)]
            opened = map(decision_row, map(book.decisions.__getitem__, book.opened))
            keyed = ((key, own.digest, own.entry) for key, own in book.keyed.items())
            sums = columns([(n, *sums_row(book.pool[n])) for n in sorted(book.touched)], width=6)
            head = [str(book.head.seq), str(book.head.at), f"\\x{book.head.chain.hex()}"]
            rows = records(opened), records(book.entries), records(keyed)
            yield "written", [*rows, *sums, *head]

    def rollback(self) -> None:
        """End the transaction as if it had never begun."""
        self._pipeline.discard()
        if not self._db.closed and not self._db.broken:
            self._db.rollback()

    def rest(self) -> None:
        """Do nothing: the server looks after its log."""

    def announce(self, socket: str) -> None:
        """Tell nobody: others write the ledger themselves."""

    def close(self) -> None:
        """Let go of the connection."""
        self._db.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        with told(self.where, remedy="ask again: with the same key nothing is done twice"):
            yield
