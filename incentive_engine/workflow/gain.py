"""What a plan earns, by a randomised trial instead of by the scores that chose it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from incentive_engine.allocation import Plan, build_problem, decide
from incentive_engine.config import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.trial import read_trial
from incentive_engine.data.users import read_users
from incentive_engine.workflow.learning import Inputs

if TYPE_CHECKING:
    from incentive_engine.uplift import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A sum over the campaign's users with its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanGain:
    """What the plan changes in total, against giving nobody anything; doubly robust.

    The plan is a rule: prices per limit, and the best offer at these prices. The rule is applied
    to the trial's rows with scores from models that never saw them, and valued by the arms that
    the rows really got. That undoes the optimism of summing the scores which chose the users.
    """

    conversions: Total
    spend: Total
    cost: Total
    rows: int
    """Rows of the trial."""
    users: int
    """Users that the means are multiplied by: all but the holdout."""

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers for ``evaluation.json``."""
        totals = {
            name: {"estimate": total.estimate, "low": total.low, "high": total.high}
            for name, total in (
                ("conversions", self.conversions),
                ("spend", self.spend),
                ("cost", self.cost),
            )
        }
        return {
            "method": "doubly robust, out of fold",
            "rows": self.rows,
            "users": self.users,
        } | totals


def gain_of_plan(inputs: Inputs, policy: Policy, plan: Plan, *, users: int) -> PlanGain | None:
    """Return the gain of the plan's rule by the trial that the model learnt from.

    Parameters
    ----------
    users
        How many users the plan decides on: all but the holdout.

    Returns
    -------
    None where scores are given, since no model is known then.
    """
    if inputs.model is None or inputs.trial is None:
        return None
    from incentive_engine.uplift import plan_value, read_out_of_fold

    users_table = read_users(inputs.users, policy) if inputs.users else None
    trial = read_trial(inputs.trial, policy, users_table)
    out_of_fold = read_out_of_fold(inputs.model)
    frame = out_of_fold.score_frame(trial.user_id, trial.features, policy)
    table = ScoreTable.from_frame(frame, policy, where="out-of-fold scores")
    nobody_held_out = np.zeros(table.n_users, dtype=np.bool_)
    choice = decide(build_problem(policy, table, nobody_held_out), plan.prices)
    value = plan_value(trial, out_of_fold, choice)
    return PlanGain(
        conversions=_total(value.conversion, users),
        spend=_total(value.spend, users),
        cost=_total(value.cost, users),
        rows=table.n_users,
        users=users,
    )


def _total(mean: Estimate, users: int) -> Total:
    return Total(estimate=mean.estimate * users, low=mean.low * users, high=mean.high * users)
