"""Ledgers of three limits that one can follow by hand: money, a stock, and a floor.

The budget is 100, at most two `gift`s are issued, and the floor on `east` is only counted.
"""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
from contextlib import closing
from pathlib import Path

from incentive_engine.live.ledger.commands import (
    Answer,
    Cancel,
    Decided,
    Redeem,
    Reserve,
    ShowPool,
)
from incentive_engine.live.ledger.commands import Pool as PoolAnswer
from incentive_engine.live.ledger.ledger import Ledger
from incentive_engine.live.ledger.records import Claims, Decision, LimitTerms, RiskMargin
from incentive_engine.live.ledger.stores.sqlite_store import SQLiteStore
from incentive_engine.live.ledger.stores.store import Terms

YUAN = 1_000_000
SECOND = 1_000_000
START = 1_800_000_000 * SECOND
HOLD = 60 * SECOND
SECRET = bytes(16)
BUDGET, STOCK, FLOOR = 0, 1, 2

TO_VERSION_3 = """
CREATE TABLE keyed (key BLOB PRIMARY KEY, digest BLOB NOT NULL, entry BIGINT NOT NULL);
INSERT INTO keyed SELECT key, digest, entry FROM requests;
DROP TABLE requests;
ALTER TABLE keyed RENAME TO requests;
CREATE UNIQUE INDEX live_user ON decisions (user_id) WHERE state IN ('reserved', 'redeemed');
DROP TABLE request_index;
DROP TABLE live_index;
DROP TABLE index_marks;
PRAGMA user_version = 3
"""
"""Takes a ledger's file back to what it was before changes of its indexes waited in memory."""

_numbers = itertools.count()


def terms(
    *, budget: int = 100 * YUAN, stock: int = 2, risk: RiskMargin | None = None, run: str = "run"
) -> Terms:
    return Terms(
        run=run,
        limits=(
            limit("budget", budget, is_count=False, risk=risk),
            limit("stock", stock, is_count=True),
            limit("east floor", None, is_count=False),
        ),
    )


def limit(
    name: str, at_most: int | None, *, is_count: bool, risk: RiskMargin | None = None
) -> LimitTerms:
    return LimitTerms(
        name=name,
        is_count=is_count,
        settles_amount=not is_count,
        at_most=at_most,
        at_least=YUAN if at_most is None else None,
        price=0.25,
        risk=risk,
    )


def of_version_3(path: Path, rows: int, stated: Terms | None = None) -> None:
    """Write a ledger of before, with so many decisions on users in no order beside that on Li."""
    book = ledger(path, stated)
    book.apply([reserve("Li", named=key("Li"), claims=())], START)
    book.close()
    numbers = "WITH RECURSIVE c(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n <= ?) "
    with closing(sqlite3.connect(path)) as file:
        file.executescript(TO_VERSION_3)
        file.execute("PRAGMA synchronous = OFF")
        decision = "hex(randomblob(8)), 'a', 'offered', 'redeemed', NULL, 0, 0, 0, '', 0, NULL, 1"
        for insert in (
            f"INSERT INTO decisions SELECT n, {decision}, 1.0, n FROM c",  # noqa: S608 - of ours
            "INSERT INTO entries SELECT n, 0, n, 'redeemed', 0, zeroblob(32) FROM c",
            "INSERT INTO requests SELECT randomblob(16), zeroblob(16), n FROM c",
        ):
            file.execute(numbers + insert, (rows,))
        file.execute("UPDATE head SET seq = ?", (rows + 1,))
        file.commit()


def content_of(path: Path) -> tuple[int, str]:
    """Return the version of a ledger's file, and the digest of all that it holds."""
    with closing(sqlite3.connect(path)) as file:
        (version,) = file.execute("PRAGMA user_version").fetchone()
        digest = hashlib.sha256("".join(file.iterdump()).encode())
    return version, digest.hexdigest()


def ledger(path: Path, stated: Terms | None = None) -> Ledger:
    return Ledger(SQLiteStore(path, stated or terms(), secret=SECRET))


def key(text: str = "") -> bytes:
    """Return the hash of a key; without a text, one that was never used."""
    return hashlib.blake2b((text or f"key {next(_numbers)}").encode(), digest_size=16).digest()


def reserve(
    user: str = "",
    *,
    cost: int = 10 * YUAN,
    face: int = 20 * YUAN,
    offer: str | None = "off20",
    claims: Claims | None = None,
    named: bytes | None = None,
    hold: int | None = HOLD,
) -> Reserve:
    return Reserve(
        key=key() if named is None else named,
        digest=key(f"{user} {cost} {offer}"),
        user_id=user or f"user {next(_numbers)}",
        offer_id=offer,
        reason="priced_out" if offer is None else "offered",
        scene="cart",
        cost=cost,
        face=face,
        claims=((BUDGET, cost),) if claims is None else claims,
        hold=hold,
        until=None,
        prices_version=1,
        propensity=1.0,
    )


def redeem(name: str, amount: int, named: bytes = b"") -> Redeem:
    return Redeem(name, amount, named, key(f"redeem {name} {amount}"))


def cancel(name: str, named: bytes = b"") -> Cancel:
    return Cancel(name, named, key(f"cancel {name}"))


def decided(answer: Answer) -> tuple[str, Decision]:
    assert isinstance(answer, Decided), answer
    return answer.name, answer.decision


def pool(of: Ledger, now: int = START) -> list[tuple[int, int]]:
    """Return what is reserved and settled of each limit."""
    (answer,) = of.apply([ShowPool()], now)
    assert isinstance(answer, PoolAnswer)
    return [(limit.reserved, limit.settled) for limit in answer.limits]
