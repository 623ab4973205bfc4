"""What a policy's plan brings by the trial: the very figure that the plan will state of itself.

The trial's word depends on every price. Prices that are only near, from two sides, differ by some
parts in a thousand, and the gain at them by some parts in a hundred. So the plan is made here as
it is when it is paid out, its costs corrected by what the trial says of its own users.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from incentive_engine.allocation.plans.plan import solve
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.errors import InfeasibleError
from incentive_engine.insight.budget.policy_options import BudgetOptions
from incentive_engine.insight.stated_problem import by_the_trial, state_problem
from incentive_engine.insight.value.cost_correction import CostCorrection
from incentive_engine.insight.value.gain import (
    gain_of_plan,
    trial_problem,
)
from incentive_engine.insight.value.plan_gain import PlanGain, ValuedTrial
from incentive_engine.pipeline.quality import ModelQuality


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnGain:
    """What a policy's plan brings, and by how much the trial corrects its costs."""

    gain: PlanGain
    correction: CostCorrection


class TrialGains:
    """The gains of one campaign's plans by its trial.

    Parameters
    ----------
    table
        Scores with every column that the policies name, their costs as they are scored.
    valued
        Reads the trial that values plans.
    quality
        What is known of the model.
    """

    def __init__(
        self, table: ScoreTable, valued: Callable[[], ValuedTrial], quality: ModelQuality | None
    ) -> None:
        """Take the scores; the first question reads the trial."""
        self._table, self._valued, self._quality = table, valued, quality
        self._trial: ValuedTrial | None = None
        self._last: tuple[Policy, OwnGain | None] | None = None
        self._lock = threading.Lock()

    def of(self, policy: Policy) -> OwnGain | None:
        """Return what the plan of a policy brings; None where it has no plan in whole offers."""
        with self._lock:  # who asks for the same plan waits for the first one's answer
            if self._last is None or self._last[0] != policy:
                try:
                    self._last = (policy, self._own_gain(policy))
                except InfeasibleError:
                    self._last = (policy, None)
            return self._last[1]

    def _own_gain(self, policy: Policy) -> OwnGain:
        if self._trial is None:
            self._trial = self._valued()
        options, quality = BudgetOptions(), self._quality
        stated = state_problem(policy, self._table, options=options, quality=quality)
        stated, plan = by_the_trial(stated, policy, self._trial, options=options, quality=quality)
        trial = self._trial.with_costs(stated.correction.factor)
        gain = gain_of_plan(
            trial,
            trial_problem(trial, stated.policy),
            stated.policy,
            plan or solve(stated.problem),
            users=stated.decided,
        )
        return OwnGain(gain=gain, correction=stated.correction)
