"""By how much one plan gains more than another, by the trial that both were valued by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from incentive_engine.domain import CONVERSION, COST, SPEND
from incentive_engine.insight.value.gain import gain_of_rule, trial_problem
from incentive_engine.insight.value.plan_gain import PlanGain, ValuedTrial
from incentive_engine.run.finished import FinishedRun
from incentive_engine.stats.estimate import Estimate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GainDifference:
    """What the second plan adds to the first, in total, by the trial.

    Both rules are tried on the same rows, and taken off each other row by row: what they have in
    common cancels, so the interval is narrower than those of the plans would make one believe.
    """

    conversions: Estimate
    spend: Estimate
    cost: Estimate
    profit: Estimate | None


def gain_difference(
    before: FinishedRun, after: FinishedRun, valued: tuple[ValuedTrial, ValuedTrial]
) -> GainDifference | None:
    """Return by how much the second plan's gain differs from the first's.

    None where the trial at hand is not the one by which the runs state their gains: each gain is
    computed again, and must come out as it is stated.

    Parameters
    ----------
    valued
        The trial, as the policy of each run reads it.
    """
    first, second = (_gain(run, trial) for run, trial in zip((before, after), valued, strict=True))
    same_rows = np.array_equal(valued[0].valuation.fold, valued[1].valuation.fold)
    if first is None or second is None or not same_rows:
        return None
    trial, margin = valued[1], after.policy.margin

    def paired(terms: Mapping[str, float]) -> Estimate:
        return _paired(trial, first, second, terms)

    is_profit = margin is not None and before.policy.margin == margin
    return GainDifference(
        conversions=paired({CONVERSION: 1.0}),
        spend=paired({SPEND: 1.0}),
        cost=paired({COST: 1.0}),
        profit=paired({SPEND: margin or 0.0, COST: -1.0}) if is_profit else None,
    )


def _gain(run: FinishedRun, valued: ValuedTrial) -> PlanGain | None:
    """Return a run's gain computed again; None where it does not come out as it is stated."""
    stated, budget = run.evaluation.plan, run.certificate.budget
    if stated is None:
        return None
    factor = budget.evaluated.correction if budget.evaluated else None
    corrected = valued.with_costs(factor or 1.0)
    gain = gain_of_rule(
        corrected,
        trial_problem(corrected, run.policy),
        run.policy,
        {limit.name: limit.price or 0.0 for limit in run.certificate.limits},
        cost=budget.spent,
        users=stated.users,
    )
    pairs = ((gain.conversions, stated.conversions), (gain.cost, stated.cost))
    # relative departure from a stated gain up to which it has been computed again
    is_same = all(math.isclose(a.value, b.estimate, rel_tol=1e-6) for a, b in pairs)
    return gain if is_same else None


def _paired(
    valued: ValuedTrial, first: PlanGain, second: PlanGain, terms: Mapping[str, float]
) -> Estimate:
    """Return a sum of measures by which the second plan exceeds the first.

    Notes
    -----
    With means m and numbers of users u it is u₂(m₂ − m₁) + (u₂ − u₁)m₁. Where the plans decide on
    different numbers of users, the errors of both parts are added up as if they always erred
    together, which makes the interval no narrower than it is.
    """
    paired = valued.valuation.total(second.rule, terms, beyond=first.rule).times(second.users)
    more = second.users - first.users
    if not more:
        return paired
    further = valued.valuation.total(first.rule, terms).times(abs(more))
    value = paired.value + math.copysign(1.0, more) * further.value
    half = (paired.high - paired.low + further.high - further.low) / 2
    return Estimate(
        value=value,
        standard_error=paired.standard_error + further.standard_error,
        low=value - half,
        high=value + half,
    )
