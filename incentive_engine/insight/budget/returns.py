"""What is asked of the money, and what it returns, as certificate.json states it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from incentive_engine.allocation.params import CURVE
from incentive_engine.allocation.risk import SafetyPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """What was asked of the money.

    Attributes
    ----------
    min_roi, min_marginal_roi
        Incremental spend per unit of cost, of all the money and of the last of it.
    cap
        The most that might be spent; None for no cap.
    """

    min_roi: float | None
    min_marginal_roi: float | None
    cap: float | None

    def to_dict(self) -> dict[str, float | None]:
        """Return the entry `mandate` of certificate.json."""
        return {
            "min_roi": self.min_roi,
            "min_marginal_roi": self.min_marginal_roi,
            "cap": self.cap,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BudgetView:
    """What is known of the money around a plan.

    Attributes
    ----------
    marginal_return
        Incremental spend per unit of cost of the last money; None where it is not known.
    safety
        What surer budgets would bring, for a budget at risk.
    cost_error
        The relative standard error of the total cost that these count with.
    """

    marginal_return: float | None = None
    safety: tuple[SafetyPoint, ...] = ()
    cost_error: float = 0.0


def returned(spend: float | None, cost: float, marginal: float | None) -> dict[str, Any]:
    """Return the entry `returns` of certificate.json, by the scores.

    Parameters
    ----------
    spend, cost
        Sums over the chosen pairs, currency units; spend is None where none is scored.
    marginal
        The return of the last `CurveParams.margin` of the money.
    """
    return {
        "spend": spend,
        "cost": cost,
        "roi": spend / cost if spend is not None and cost > 0 else None,
        "marginal_roi": marginal,
        "margin": CURVE.curve.margin,
    }
