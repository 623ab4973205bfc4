"""Indexes whose changes wait say the same as ones that are written at once."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from incentive_engine.errors import ConfigError
from incentive_engine.live.ledger.stores.change_buffer import ChangeBuffer, IndexParams

DIGESTS = [random.Random(n).randbytes(16) for n in range(40)]  # noqa: S311 - a test


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE own (digest BLOB PRIMARY KEY, seq BIGINT) WITHOUT ROWID")
        connection.execute("CREATE TABLE index_marks (name TEXT PRIMARY KEY, seq BIGINT)")
        connection.execute("INSERT INTO index_marks VALUES ('own', 0)")
        yield connection


@pytest.mark.parametrize("waiting", [0, 1, 7, 1_000])
def test_an_index_says_what_was_put_last_however_much_waits(
    database: sqlite3.Connection, waiting: int
) -> None:
    rng = random.Random(waiting)  # noqa: S311 - a test
    buffer = ChangeBuffer(database, "own", IndexParams(waiting=waiting))
    truth: dict[bytes, int | None] = {}
    for seq in range(1, 400):
        digest, number = rng.choice(DIGESTS), rng.choice([seq, seq, None])
        buffer.put(digest, number)
        truth[digest] = number
        buffer.bring_in(seq)
        some = rng.sample(DIGESTS, 5)
        told = [number for digest in some if (number := truth.get(digest)) is not None]
        assert sorted(buffer.find(some)) == sorted(told)
        assert sum(map(len, buffer._waiting)) <= waiting


def test_what_is_marked_needs_not_be_put_again(database: sqlite3.Connection) -> None:
    puts: dict[int, bytes] = {}
    rng, buffer = random.Random(1), ChangeBuffer(database, "own", IndexParams(waiting=5))  # noqa: S311 - a test
    marks = set()
    for seq in range(1, 2_000):
        puts[seq] = rng.randbytes(16)
        buffer.put(puts[seq], seq)
        buffer.bring_in(seq)
        marks.add(buffer.mark)
        if seq % 100 == 0:  # as after a crash: what waited is gone
            buffer = ChangeBuffer(database, "own", IndexParams(waiting=5))
            for later in range(buffer.mark + 1, seq + 1):
                buffer.put(puts[later], later)
            assert sorted(buffer.find(puts.values())) == sorted(puts)
    assert len(marks) > 10


def test_few_pages_change_for_many_that_wait(database: sqlite3.Connection) -> None:
    rng = random.Random(2)  # noqa: S311 - a test
    buffer, pages = ChangeBuffer(database, "own", IndexParams(waiting=20_000)), 0
    for seq in range(1, 50_001):
        buffer.put(rng.randbytes(16), seq)
        pages += buffer.bring_in(seq)
    brought_in = database.execute("SELECT count(*) FROM own").fetchone()[0]
    assert brought_in >= 30_000
    assert pages < brought_in / 10


def test_a_waiting_below_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="waiting"):
        IndexParams(waiting=-1)
