"""What a ledger holds: limits, decisions and entries.

Rows are named tuples, not frozen dataclasses: some ten thousand are made a second, and a frozen
dataclass of fifteen fields takes ten times as long to make. Money is in millionths of the currency
unit, time in microseconds since 1970 UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from math import isqrt
from typing import Final, NamedTuple

from incentive_engine.domain import MICROS

POOL_EMPTY: Final = "pool_empty"
"""The reason of a user whose offer does not fit into what is left."""

Claims = tuple[tuple[int, int], ...]
"""Limit to what one offer counts in it: millionths, or 1 for an issued offer."""


class State(StrEnum):
    """Where a decision stands."""

    NONE = "none"
    RESERVED = "reserved"
    REDEEMED = "redeemed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskMargin:
    """The margin that a budget at risk keeps for what is open.

    Attributes
    ----------
    z_ppm
        The normal quantile, millionths.
    error_ppm
        The relative standard error of the expected costs, millionths.
    face
        The largest face value.
    """

    z_ppm: int
    error_ppm: int
    face: int

    def margin(self, *, expected: int, variance: int) -> int:
        """Return what is kept back while `expected` is open with `variance` (squared millionths).

        Whole numbers throughout, so that every machine keeps back the same. Nothing is kept
        where nothing is open.
        """
        if expected <= 0:
            return 0
        spread = variance + (self.error_ppm * expected // MICROS) ** 2
        return self.z_ppm * (isqrt(spread) + 1) // MICROS + 1 + self.face


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitTerms:
    """What a run says of one enforced limit.

    Attributes
    ----------
    is_count
        Whether it counts issued offers; money, and other measures, are in millionths.
    settles_amount
        Whether a redemption counts what was redeemed in place of what was reserved.
    at_most
        None where nothing is capped: a floor, or a ratio.
    price
        Of the plan, value per unit.
    risk
        Only of a budget at risk.
    """

    name: str
    is_count: bool
    settles_amount: bool
    at_most: int | None
    at_least: int | None
    price: float = 0.0
    risk: RiskMargin | None = None


@dataclass(slots=True, kw_only=True)
class LimitState:
    """One limit while commands are applied.

    Attributes
    ----------
    reserved, settled
        Of open and of redeemed offers.
    overdraft
        By how much redemptions cost more than they had reserved, added up: what
        ``reserved + settled`` can be above the cap at most.
    variance
        Of what is open, squared millionths; 0 where no risk is counted.
    moved
        A lower cap that somebody set while the campaign runs; None for the run's own.
    """

    terms: LimitTerms
    reserved: int = 0
    settled: int = 0
    overdraft: int = 0
    variance: int = 0
    moved: int | None = None

    @property
    def at_most(self) -> int | None:
        """The cap of now: the run's, or the lower one that somebody moved it to."""
        stated = self.terms.at_most
        return stated if stated is None or self.moved is None else min(stated, self.moved)

    def takes(self, claim: int, variance: int) -> bool:
        """Whether one more reservation leaves the sum within the cap."""
        most = self.at_most
        if most is None:
            return True
        margin = self.margin(claim, variance)
        return self.reserved + claim + self.settled + margin <= most

    def margin(self, claim: int = 0, variance: int = 0) -> int:
        """Return what is kept back for the risk of what is open, and of one more claim."""
        if self.terms.risk is None:
            return 0
        return self.terms.risk.margin(
            expected=self.reserved + claim, variance=self.variance + variance
        )


class Decision(NamedTuple):
    """One decision as it stands now.

    `seq` is that of its first entry, `last` that of its newest; `amount` is None until something
    was redeemed, `expires_at` where nothing runs out.
    """

    seq: int
    user_id: str
    offer_id: str | None
    reason: str
    state: str
    scene: str | None
    cost: int
    face: int
    amount: int | None
    claims: Claims
    decided_at: int
    expires_at: int | None
    prices_version: int
    propensity: float
    last: int

    @classmethod
    def columns(cls) -> str:
        """Return what the columns of a decision are called where it is stored, in this order."""
        return ", ".join(cls._fields)

    @property
    def is_live(self) -> bool:
        """Whether the user has it: one at most, as a plan gives each user one offer at most."""
        return self.state in {State.RESERVED, State.REDEEMED}

    @property
    def variance(self) -> int:
        """Of what will be redeemed of an open offer, squared millionths.

        An offer of expected cost c and face value f redeems f with probability c/f.
        """
        return self.cost * max(self.face - self.cost, 0)


class Entry(NamedTuple):
    """One thing that happened to a decision; `seq` numbers all of them without a gap."""

    seq: int
    at: int
    decision: int
    state: str
    amount: int | None
    chain: bytes


class Verb(StrEnum):
    """What somebody answered to a finding."""

    ACCEPTED = "accepted"
    DECLINED = "declined"


class Action(NamedTuple):
    """What somebody answered to a finding of the watch; `seq` numbers actions without a gap.

    `after` is the number of the last entry before it, `change` what it changes, as JSON: see
    `actions.Change`.
    """

    seq: int
    at: int
    after: int
    key: str
    verb: str
    name: str
    change: str
    chain: bytes


class Request(NamedTuple):
    """What a key was used for: the digest of the body, and the entry that was its answer."""

    digest: bytes
    entry: int


@dataclass(slots=True, kw_only=True)
class Head:
    """The end of a ledger: the last entry's number, time and hash, and the latest time seen."""

    seq: int
    at: int
    chain: bytes


class Names:
    """The public ids of decisions: their number, and a tag that cannot be guessed."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        # a decision is named several times while it is made
        self.of = lru_cache(maxsize=1024)(self._of)

    def _of(self, seq: int) -> str:
        """Return the id of the decision whose first entry has a number."""
        return f"d{seq:x}-{self._tag(seq)}"

    def seq(self, name: str) -> int | None:
        """Return the number behind an id; None where it is none of this ledger's."""
        number, dash, _ = name[1:].partition("-")
        if not name.startswith("d") or not dash or len(name) > 40:
            return None
        try:
            seq = int(number, 16)
        except ValueError:
            return None
        return seq if self.of(seq) == name else None

    def _tag(self, seq: int) -> str:
        return blake2b(b"%d" % seq, key=self._secret, digest_size=8).hexdigest()
