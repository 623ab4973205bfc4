"""What a plan changes in total, and the trial that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import COST, SPEND, ChoiceArray
from incentive_engine.stats.estimate import Estimate
from incentive_engine.uplift.doubly_robust.valuation import Valuation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanGain:
    """What the plan changes in total, against giving nobody anything; doubly robust.

    The plan is a rule: prices per limit, and the best offer at these prices. The rule is applied
    to the trial's rows with scores from models that never saw them, fold by fold (`rehearse`), and
    valued by the arms that the rows really got. That undoes the optimism of summing the scores
    which chose the users.
    """

    conversions: Estimate
    spend: Estimate
    cost: Estimate
    profit: Estimate | None
    """Margin times incremental spend less the subsidy; None where the policy has no margin."""
    rows: int
    """Rows of the trial."""
    rule: ChoiceArray
    """What the plan's rule gives each row of the trial, −1 for none."""
    users: int
    """Users that the means are multiplied by: all but the holdout and those who explore."""
    baseline: Mapping[str, float | None]
    """Of the trial: `median_basket` of its buyers, currency units, and `conversion_rate` of its
    rows without an offer; None where there are no such rows."""

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers for ``evaluation.json``."""
        totals = {
            name: {"estimate": total.value, "low": total.low, "high": total.high}
            for name, total in (
                ("conversions", self.conversions),
                ("spend", self.spend),
                ("cost", self.cost),
                ("profit", self.profit),
            )
            if total is not None
        }
        return {
            "method": "doubly robust, out of fold",
            "rows": self.rows,
            "users": self.users,
            "baseline": dict(self.baseline),
        } | totals


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ValuedTrial:
    """Trial rows to try a plan's rule on, and what each offer brought them."""

    table: ScoreTable
    valuation: Valuation
    baseline: Mapping[str, float | None]

    def with_costs(self, factor: float) -> ValuedTrial:
        """Return the trial scored as users are whose costs are so many times larger."""
        return replace(self, table=self.table.with_costs(factor))

    def profit(self, choice: ChoiceArray, margin: float | None, *, users: int) -> Estimate | None:
        """Return what users earn beyond giving nobody anything; None without a margin.

        Spend and subsidy are taken together row by row, so that the interval is that of the
        profit.
        """
        if margin is None:
            return None
        return self.valuation.total(choice, {SPEND: margin, COST: -1.0}).times(users)
