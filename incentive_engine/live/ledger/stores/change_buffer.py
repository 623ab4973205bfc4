"""Indexes of a ledger in a file: the request that a key made, the decision that a user has.

Keys and users come in no order. In a large file each of them would change a page of its own, once
in the log and once in the file, and a batch would write megabytes. So what an index gains waits in
memory, by ranges of digests, until many of a range stand on few pages. It is told anew from the
ledger's own rows when the file is opened.

References
----------
O'Neil, Cheng, Gawlick and O'Neil (1996), The log-structured merge-tree, Acta Informatica 33; the
change buffer of MySQL's InnoDB.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, ClassVar

from incentive_engine.knobs import Knobs, knob
from incentive_engine.live.ledger.core import Book
from incentive_engine.live.ledger.records import State


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexParams(Knobs):
    """How much of an index of a ledger waits in memory."""

    waiting: int = knob(100_000, 0, 10**8)
    """Changes that wait; the more, the fewer pages each one costs, and the longer it takes to open
    the file: some 2 µs for each."""


class ChangeBuffer:
    """One index: digests of 16 bytes to numbers.

    Parameters
    ----------
    database
        The connection that writes the ledger.
    table
        Of the index, with the columns `digest` and `seq`.
    """

    RANGES: ClassVar = 1024
    """Ranges of digests, by their first ten bits."""
    ON_PAGE: ClassVar = 100
    """Digests on a page of the table."""
    AT_ONCE: ClassVar = 32
    """Values that one statement looks up."""

    def __init__(
        self, database: sqlite3.Connection, table: str, params: IndexParams | None = None
    ) -> None:
        self._database, self._params = database, params or IndexParams()
        self._waiting: list[dict[bytes, int | None]] = [{} for _ in range(self.RANGES)]
        self._count = 0
        marked = "SELECT seq FROM index_marks WHERE name = ?"
        (self.mark,) = database.execute(marked, [table]).fetchone()
        # of each range, the number up to which it has been brought in; first the one whose turn
        # comes next, and which therefore has the lowest
        self._marks = deque([self.mark] * self.RANGES)
        self._next = 0
        any_of = ", ".join("?" * self.AT_ONCE)
        self._find = f"SELECT seq FROM {table} WHERE digest IN ({any_of})"  # noqa: S608 - a table of ours
        self._put = f"INSERT OR REPLACE INTO {table} VALUES (?, ?)"  # noqa: S608 - likewise
        self._remove = f"DELETE FROM {table} WHERE digest = ?"  # noqa: S608 - likewise
        self._note = f"UPDATE index_marks SET seq = ? WHERE name = '{table}'"  # noqa: S608 - likewise

    def put(self, digest: bytes, seq: int | None) -> None:
        """Note the number of a digest from now on; None for none."""
        changes = self._waiting[_range_of(digest)]
        self._count += digest not in changes
        changes[digest] = seq

    def find(self, digests: Iterable[bytes]) -> Iterator[int]:
        """Yield the numbers of those digests that have one.

        Raises
        ------
        sqlite3.OperationalError
            When the disk fails.
        """
        others = []
        for digest in digests:
            changes = self._waiting[_range_of(digest)]
            if digest not in changes:
                others.append(digest)
            elif (seq := changes[digest]) is not None:
                yield seq
        for (seq,) in in_pieces(self._database, self._find, others, self.AT_ONCE):
            yield seq

    def bring_in(self, seq: int) -> int:
        """Bring ranges into the table while too much waits; return about how many pages change.

        Parameters
        ----------
        seq
            Of the last row of the ledger whose changes have been put.

        Raises
        ------
        sqlite3.OperationalError
            When the disk fails.
        """
        pages = 0
        while self._count > self._params.waiting:
            changes, self._waiting[self._next] = self._waiting[self._next], {}
            self._next = (self._next + 1) % self.RANGES
            self._marks.rotate(-1)
            self._marks[-1] = seq
            if changes:
                self._count -= len(changes)
                self._write(changes)
                pages += min(len(changes), 1 + seq // (self.ON_PAGE * self.RANGES))
        if self._marks[0] != self.mark:
            self.mark = self._marks[0]
            self._database.execute(self._note, [self.mark])
        return pages

    def _write(self, changes: dict[bytes, int | None]) -> None:
        # in their order, which is that of the pages
        rows = sorted(changes.items(), key=lambda change: change[0])
        put = [(digest, seq) for digest, seq in rows if seq is not None]
        self._database.executemany(self._put, put)
        removed = [(digest,) for digest, seq in rows if seq is None]
        self._database.executemany(self._remove, removed)


class Indexes:
    """Both indexes of a ledger, complete with what its rows say.

    Parameters
    ----------
    database
        The connection that writes the ledger.

    Raises
    ------
    sqlite3.OperationalError
        When the disk fails.
    """

    def __init__(self, database: sqlite3.Connection, params: IndexParams | None = None) -> None:
        self._requests = ChangeBuffer(database, "request_index", params)
        self._live = ChangeBuffer(database, "live_index", params)
        (self._last,) = database.execute("SELECT coalesce(max(seq), 0) FROM requests").fetchone()
        keys = "SELECT key, seq FROM requests WHERE seq > ?"
        for key, seq in database.execute(keys, [self._requests.mark]):
            self._requests.put(key, seq)
        # in this order the newest decision of a user is the last word: he had no other beside it
        decisions = (
            "SELECT user_id, seq, state FROM decisions WHERE offer_id IS NOT NULL AND seq IN "
            "(SELECT decision FROM entries WHERE seq > ?) ORDER BY seq"
        )
        for user, seq, state in database.execute(decisions, [self._live.mark]):
            is_live = state in {State.RESERVED, State.REDEEMED}
            self._live.put(digest_of(user), seq if is_live else None)

    def requests_of(self, keys: Iterable[bytes]) -> list[int]:
        """Return the numbers of the requests that keys have made."""
        return [*self._requests.find(keys)]

    def decisions_of(self, users: Iterable[str]) -> list[int]:
        """Return the numbers of the decisions that users have now."""
        return [*self._live.find(map(digest_of, users))]

    def numbered(self, book: Book) -> list[tuple[int, bytes, bytes, int]]:
        """Return the rows of a batch's new requests."""
        return [
            (seq, key, request.digest, request.entry)
            for seq, (key, request) in enumerate(book.keyed.items(), self._last + 1)
        ]

    def follow(self, book: Book) -> int:
        """Take what a batch has changed; return about how many pages change for it."""
        for seq, key in enumerate(book.keyed, self._last + 1):
            self._requests.put(key, seq)
        self._last += len(book.keyed)
        for number in {*book.opened, *book.changed}:
            decision = book.decisions[number]
            if decision.offer_id is not None:
                user = decision.user_id
                self._live.put(digest_of(user), book.live.get(user))
        return self._requests.bring_in(self._last) + self._live.bring_in(book.head.seq)


def in_pieces(
    database: sqlite3.Connection, query: str, values: Iterable[Any], size: int
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of many values, so many of which a query asks for at once."""
    rest = list(values)
    while rest:
        some, rest = rest[:size], rest[size:]
        # always as many question marks, so that the statement is prepared once
        yield from database.execute(query, some + [None] * (size - len(some)))


def digest_of(user_id: str) -> bytes:
    """Return what stands for a user in an index."""
    return blake2b(user_id.encode(), digest_size=16).digest()


def _range_of(digest: bytes) -> int:
    return digest[0] << 2 | digest[1] >> 6
