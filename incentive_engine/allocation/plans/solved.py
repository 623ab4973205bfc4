"""A plan as prices and the few who choose otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace

from incentive_engine.allocation.certificate import Certificate
from incentive_engine.allocation.dual.prices import Optimum
from incentive_engine.allocation.integer.draft import CandidatePlan
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.risk import RiskReport


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solved:
    """A plan as prices and the few who choose otherwise: nothing in it grows with the users.

    Attributes
    ----------
    rows
        The enforced limits, with what explorers leave of them.
    optimum
        Their prices.
    draft
        Everyone's choice but explorers'.
    certificate
        What is proven, explorers counted.
    """

    rows: LimitRows
    optimum: Optimum
    draft: CandidatePlan
    certificate: Certificate

    @property
    def prices(self) -> dict[str, float]:
        """Limit name to value given up per unit."""
        in_order = self.optimum.point.prices.tolist()
        return dict(zip(self.rows.names, in_order, strict=True))

    def with_risk(self, report: RiskReport) -> Solved:
        """Return the plan with how its real redemption is spread."""
        budget = replace(self.certificate.budget, at_risk=report)
        return replace(self, certificate=replace(self.certificate, budget=budget))
