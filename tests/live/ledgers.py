"""Ledgers of three limits that one can follow by hand: money, a stock, and a floor.

The budget is 100, at most two `gift`s are issued, and the floor on `east` is only counted.
"""

from __future__ import annotations

import hashlib
import itertools
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
