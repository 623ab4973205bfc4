"""Two models of one trial, compared row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from incentive_engine.config.policy import Policy
from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import CONVERSION, FloatArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.stats.estimate import Estimate, as_plain
from incentive_engine.uplift.doubly_robust.plan_value import increments
from incentive_engine.uplift.evaluation.price_paths import FoldedPath
from incentive_engine.uplift.evaluation.ranking import qini_difference
from incentive_engine.uplift.model import EffectModel
from incentive_engine.uplift.trial_design import reach_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedPlan:
    """Two models' plans within one budget.

    Attributes
    ----------
    budget
        Expected cost per trial row, currency units, by the mean of both models' costs.
    first, second, difference
        Conversions per row, doubly robust; the difference is first minus second, row by row.
    """

    budget: float
    first: Estimate
    second: Estimate
    difference: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """One model against another.

    Attributes
    ----------
    rows
        Trial rows.
    plans
        At three budgets.
    qini
        Offer to the Qini of the first model minus that of the second.
    """

    rows: int
    plans: tuple[PairedPlan, ...]
    qini: dict[str, Estimate]

    def to_dict(self) -> dict[str, Any]:
        """Return the content of evaluation.json."""
        content: dict[str, Any] = as_plain(self)
        return content


def compare_models(
    first: EffectModel, second: EffectModel, trial: Trial, policy: Policy
) -> Paired:
    """Compare two models by the trial that both were fitted on, each out of its own folds.

    Increments are the mean of both models' doubly robust ones, so that neither is favoured.

    Raises
    ------
    DataError
        When either was fitted on another trial.
    """
    digest = trial.digest()
    for name, model in (("--model", first), ("--against", second)):
        if model.facts.trial != digest:
            remedy = "compare models of one trial"
            raise DataError(Fault(name, "was not trained on this trial", remedy=remedy))
    reach = reach_of(trial, policy.eligibility)
    both = (first.out_of_fold, second.out_of_fold)
    means = _mean(*(each.estimates.conversion_by_arm for each in both))
    gain = increments(trial, CONVERSION, means)
    cost = _mean(*(each.estimates.cost for each in both))
    paths = [FoldedPath.of(each.estimates.conversion, cost, reach, each.fold) for each in both]
    plans = []
    # budgets, relative to what the first model's plan costs without one
    for share in (0.1, 0.2, 0.5):
        budget = share * paths[0].cost
        won, theirs = (gain.part(path.plan(budget)) for path in paths)
        plans.append(
            PairedPlan(
                budget=budget / trial.n_rows,
                first=gain.mean(won),
                second=gain.mean(theirs),
                difference=gain.mean(won - theirs),
            )
        )
    qini = {
        offer: qini_difference(
            both[0].compared(j)[rows], both[1].compared(j)[rows], gain.of_offer(j)[rows]
        )
        for j, (offer, rows) in enumerate(zip(trial.offers, reach.T, strict=True))
    }
    return Paired(rows=trial.n_rows, plans=tuple(plans), qini=qini)


def _mean(one: FloatArray, other: FloatArray) -> FloatArray:
    return np.asarray((one + other) / 2)
