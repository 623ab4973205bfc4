"""Where a running campaign stands, as its page shows it: pool, pace, findings, answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from incentive_engine.domain import MICROS, FloatArray, IntArray
from incentive_engine.live.ledger.commands import Standing
from incentive_engine.live.ledger.records import Action, Verb
from incentive_engine.live.watch.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pace:
    """How users came, and how they were to come.

    Attributes
    ----------
    at : (p,) int64
        Microseconds since 1970.
    came : (p,) int64
        Users who had come.
    planned : (p,) float64
        Users who were to have come.
    """

    at: IntArray
    came: IntArray
    planned: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerAnswer:
    """What somebody answers to a finding, named by its key."""

    key: str
    verb: Verb
    by: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Running:
    """Where a running campaign stands.

    Attributes
    ----------
    share
        Of the traffic that was forecast until now; None where the policy has no campaign.
    expected
        Users who are to come in all; None likewise.
    pace
        None likewise, and before the campaign has begun.
    """

    name: str
    currency: str
    zone: str
    now: datetime
    came: int
    decisions: int
    share: float | None
    expected: float | None
    pool: tuple[Standing, ...]
    pace: Pace | None
    findings: tuple[Finding, ...]
    actions: tuple[Action, ...]


def hours_since(moments: Sequence[int] | IntArray) -> list[float]:
    """Return moments as hours since the first of them.

    >>> hours_since([0, 5_400_000_000])
    [0.0, 1.5]
    """
    first = int(moments[0])
    return [(int(moment) - first) / MICROS / 3_600 for moment in moments]
