"""What a plan would bring, by the scores."""

from __future__ import annotations

from dataclasses import dataclass

from incentive_engine.config.policy import Policy
from incentive_engine.errors import Fault
from incentive_engine.report.content import LimitRow, Proof


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanOutlook:
    """What a plan would bring, by the scores.

    Attributes
    ----------
    users
        All, the holdout included.
    price
        What one more unit of budget adds to the value.
    conflict
        Why there is no plan, and the cheapest way out; empty where there is one. Figures mean
        nothing then.
    seconds
        That solving it took.
    """

    policy: Policy
    proof: Proof
    conversions: float
    spend: float | None
    cost: float
    face: float
    treated: float
    users: int
    held: int
    price: float
    limits: tuple[LimitRow, ...]
    conflict: tuple[Fault, ...] = ()
    seconds: float = 0.0

    @property
    def feasible(self) -> bool:
        """Whether there is a plan."""
        return not self.conflict
