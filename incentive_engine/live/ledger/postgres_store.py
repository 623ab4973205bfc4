"""A ledger in PostgreSQL, which several servers share; needs the extra `postgres`.

A batch locks the row at the end of the chain, so that the batches of all servers follow each
other. It reads what it needs with the lock, in one round trip, and writes and commits in another:
one statement for all tables, whatever the number of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from incentive_engine.config.access.database_url import DatabaseUrl, read_database_url
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.live.ledger.chain import START
from incentive_engine.live.ledger.commands import Published
from incentive_engine.live.ledger.core import Book
from incentive_engine.live.ledger.records import LIVE, Action, Entry, Head, Names, Request
from incentive_engine.live.ledger.schema import (
    ACTIONS,
    DECISION,
    DUE,
    MIGRATIONS,
    NEWEST,
    VERSION,
    scripts_from,
)
from incentive_engine.live.ledger.store import (
    Needs,
    Terms,
    UnavailableError,
    decision_of,
    decision_row,
    limit_of,
    limit_row,
    refuse_other_run,
)

SCHEMA: Final = "incentive_ledger"
"""The schema that holds the tables; one database holds one ledger."""

WAIT: Final = 5
"""Seconds for a server to answer at the start."""

TYPES: Final = (("BLOB", "BYTEA"), ("seq INTEGER PRIMARY KEY", "seq BIGINT PRIMARY KEY"))
"""What the tables of a file are called in PostgreSQL."""

POOL: Final = (
    "SELECT name, is_count, settles_amount, at_most, at_least, price, risk, "
    "reserved, settled, overdraft, variance, moved FROM pool ORDER BY place"
)
ANSWERED: Final = (
    "SELECT r.key, r.digest, e.seq, e.at, e.decision, e.state, e.amount, e.chain "
    "FROM requests r JOIN entries e ON e.seq = r.entry WHERE r.key = ANY(%s)"
)
NAMED: Final = f"SELECT {DECISION}, FALSE FROM decisions WHERE seq = ANY(%s)"  # noqa: S608 - columns of ours
CONCERNED: Final = (
    f"SELECT {DECISION}, FALSE FROM decisions WHERE seq = ANY(%(seqs)s) "  # noqa: S608 - likewise
    f"UNION ALL SELECT {DECISION}, FALSE FROM decisions "
    "WHERE user_id = ANY(%(users)s) AND state IN ('reserved', 'redeemed') "
    f"UNION ALL (SELECT {DECISION}, TRUE FROM decisions WHERE state = 'reserved' "
    f"AND expires_at <= greatest(%(now)s, (SELECT at FROM head)) ORDER BY expires_at LIMIT {DUE})"
)
"""The decisions that a batch names, those that its users have, and those that have run out."""
DECISIONS: Final = (
    "bigint", "text", "text", "text", "text", "text", "bigint", "bigint", "bigint", "text",
    "bigint", "bigint", "bigint", "float8", "bigint",
)  # fmt: skip
ENTRIES: Final = ("bigint", "bigint", "bigint", "text", "bigint", "bytea")
PRICES: Final = ("bigint", "bigint", "text")
REQUESTS: Final = ("bytea", "bytea", "bigint")
ACTED: Final = ("bigint", "bigint", "bigint", "text", "text", "text", "text", "bytea")
ENDED: Final = (
    "UPDATE decisions d SET state = n.state, amount = n.amount, last = n.last "
    "FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[]) "
    "AS n(seq, state, amount, last) WHERE d.seq = n.seq"
)


def _insert(table: str, types: tuple[str, ...]) -> str:
    arrays = ", ".join(f"%s::{kind}[]" for kind in types)
    return f"INSERT INTO {table} SELECT * FROM unnest({arrays})"  # noqa: S608 - names of ours


WRITE: Final = (
    f"WITH opened AS ({_insert('decisions', DECISIONS)}), "  # noqa: S608 - names of ours
    f"entered AS ({_insert('entries', ENTRIES)}), "
    f"keyed AS ({_insert('requests', REQUESTS)}), "
    "summed AS (UPDATE pool p SET reserved = n.reserved, settled = n.settled, "
    "overdraft = n.overdraft, variance = n.variance, moved = n.moved "
    "FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[]) "
    "AS n(place, reserved, settled, overdraft, variance, moved) WHERE p.place = n.place) "
    "UPDATE head SET seq = %s, at = %s, chain = %s"
)
"""What a batch writes, but for decisions that end: their users may have a new one in the same."""


class PostgresStore:
    """One server's connection to a ledger that others write as well."""

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
        self._db = _connected(database)
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
        db.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        db.execute(f"SET search_path TO {SCHEMA}")
        is_new = db.execute("SELECT to_regclass('meta') IS NULL").fetchone()[0]
        version = 0
        if not is_new:
            row = db.execute("SELECT content FROM meta WHERE name = 'version'").fetchone()
            version = int(row[0])
        for script in scripts_from(version, self.where):
            for old, new in TYPES:
                script = script.replace(old, new)  # noqa: PLW2901 - step by step
            db.execute(script)
        if is_new:
            self._fill(terms, secret)
        db.execute("UPDATE meta SET content = %s WHERE name = 'version'", [str(VERSION)])
        meta = dict(db.execute("SELECT name, content FROM meta").fetchall())
        limits = [limit_of(row).terms for row in db.execute(POOL).fetchall()]
        refuse_other_run(self.where, terms, run=meta["run"], limits=limits)
        db.commit()
        db.execute(f"SET search_path TO {SCHEMA}")
        db.commit()
        self.names = Names(bytes.fromhex(meta["secret"]))

    def _fill(self, terms: Terms, secret: bytes) -> None:
        meta = [("run", terms.run), ("secret", secret.hex()), ("version", str(len(MIGRATIONS)))]
        with self._db.cursor() as cursor:
            cursor.executemany("INSERT INTO meta VALUES (%s, %s)", meta)
            cursor.execute("INSERT INTO head VALUES (1, 0, 0, %s)", [START])
            rows = [limit_row(place, limit) for place, limit in enumerate(terms.limits)]
            cursor.executemany(f"INSERT INTO pool VALUES ({', '.join(['%s'] * 13)})", rows)  # noqa: S608 - marks

    def begin(self, needs: Needs, now: int) -> Book:
        """Begin a transaction, and return what a batch needs to know.

        Raises
        ------
        UnavailableError
            When the server went away.
        """
        with self._told():
            return self._begin(needs, now)

    def _begin(self, needs: Needs, now: int) -> Book:
        execute = self._db.execute
        concerned = {
            "seqs": _array(needs.decisions),
            "users": _array(needs.users),
            "now": now,
        }
        with self._db.pipeline():
            # on its own, since what is read with a lock is read as it was before the wait for it
            locked = execute("SELECT seq, at, chain FROM head FOR UPDATE")
            limits = execute(POOL)
            answered = execute(ANSWERED, [_array(needs.keys)]) if needs.keys else None
            decisions = execute(CONCERNED, concerned)
            prices = execute(NEWEST) if needs.prices else None
            acted = execute(ACTIONS) if needs.actions else None
        seq, at, chain = locked.fetchone()
        pool = [limit_of(row) for row in limits.fetchall()]
        book = Book(names=self.names, head=Head(seq=seq, at=at, chain=chain), pool=pool)
        self._add(book, decisions.fetchall())
        if acted is not None:
            book.actions = [Action._make(row) for row in acted.fetchall()]
        for key, digest, *entry in answered.fetchall() if answered is not None else ():
            book.requests[key] = Request(digest, entry[0])
            book.answers[entry[0]] = Entry._make(entry)
        if prices is not None and (newest := prices.fetchone()) is not None:
            book.prices = Published._make(newest)
        named = {entry.decision for entry in book.answers.values()} - book.decisions.keys()
        if named:
            self._add(book, execute(NAMED, [_array(named)]).fetchall())
        return book

    @staticmethod
    def _add(book: Book, rows: Sequence[tuple[Any, ...]]) -> None:
        for *row, is_due in rows:
            decision = book.decisions[row[0]] = decision_of(row)
            if is_due:
                book.due.append(decision.seq)
            if decision.state in LIVE:
                book.live[decision.user_id] = decision.seq

    def commit(self, book: Book) -> None:
        """Write what a batch changed, and wait until the server has it on disk.

        Raises
        ------
        UnavailableError
            When the server went away; whether it was written is known to who asks again.
        """
        with self._told(), self._db.pipeline():
            if book.is_changed:
                self._write(book)
            self._db.commit()

    def _write(self, book: Book) -> None:
        execute, pool, head = self._db.execute, book.pool, book.head
        ended = [book.decisions[seq] for seq in sorted(book.changed - set(book.opened))]
        if ended:
            execute(ENDED, _columns([(d.seq, d.state, d.amount, d.last) for d in ended], 4))
        if book.published:
            execute(_insert("prices", PRICES), _columns(book.published, len(PRICES)))
        if book.acted:
            execute(_insert("actions", ACTED), _columns(book.acted, len(ACTED)))
        opened = [decision_row(book.decisions[seq]) for seq in book.opened]
        keyed = [(key, request.digest, request.entry) for key, request in book.keyed.items()]
        sums = [
            (at, own.reserved, own.settled, own.overdraft, str(own.variance), own.moved)
            for at, own in ((place, pool[place]) for place in sorted(book.touched))
        ]
        execute(
            WRITE,
            [
                *_columns(opened, len(DECISIONS)),
                *_columns(book.entries, len(ENTRIES)),
                *_columns(keyed, len(REQUESTS)),
                *_columns(sums, 6),
                head.seq,
                head.at,
                head.chain,
            ],
        )

    def rollback(self) -> None:
        """End the transaction as if it had never begun."""
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
        with told(self.where):
            yield


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[str]:
    """Return so many columns of rows as arrays."""
    return [*map(_array, zip(*rows, strict=True))] if rows else ["{}"] * width


def _array(values: Iterable[str | float | bytes | None]) -> str:
    r"""Return values as PostgreSQL writes an array; the library takes four times as long.

    >>> print(_array(["a", 'b"\\', None, 7, 0.5, b"\x01"]))
    {"a","b\"\\",NULL,7,0.5,"\\x01"}
    """
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: str | float | bytes | None) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    return "NULL" if value is None else repr(value)


def _connected(place: DatabaseUrl) -> Any:  # noqa: ANN401 - the library is optional
    import psycopg

    parameters: dict[str, Any] = {"connect_timeout": WAIT, **place.parameters}
    with told(place.shown):
        database = psycopg.connect(**parameters)
        database.execute("SET synchronous_commit TO on")
        # planning takes longer than a batch. Plans are kept from when the tables are empty, so
        # that they must not be ones which read the tables through; the price that is set on such
        # reading would have all plans compiled
        for setting in (
            "plan_cache_mode TO force_generic_plan",
            "enable_seqscan TO off",
            "jit TO off",
        ):
            database.execute(f"SET {setting}")
        # a server that stops in the middle must not keep the others from the pool
        database.execute("SET idle_in_transaction_session_timeout TO '10s'")
        database.commit()
        return database


@contextmanager
def told(where: str) -> Iterator[None]:
    """Tell an error of the database as one of the ledger."""
    import psycopg

    try:
        yield
    except psycopg.OperationalError as error:
        what = say(
            "the database does not answer, or went away: {reason}",
            reason=_first_line(error),
        )
        remedy = "ask again with the same key: nothing is done twice"
        raise UnavailableError(Fault(where, what, remedy=remedy)) from error
    except psycopg.Error as error:
        raise DataError(Fault(where, _first_line(error), remedy="see to the database")) from error


def _first_line(error: Any) -> str:  # noqa: ANN401 - an error of the library
    return (error.diag.message_primary or str(error)).strip().splitlines()[0]
