"""Whether predicted costs add up to what was paid, and how surely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import BoolArray, FloatArray
from incentive_engine.stats.estimate import Estimate
from incentive_engine.stats.intervals import interval


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalCost:
    """Paid over predicted cost, out of fold, if every offer went to everybody in its reach.

    Attributes
    ----------
    ratio
        1 where predictions add up; None where nothing is predicted.
    relative_error
        Standard error of the predicted total, relative to it: what a trial of this size leaves
        open. That another season redeems otherwise is not in it.
    """

    ratio: Estimate | None
    relative_error: float


def total_cost(trial: Trial, predicted: FloatArray, reach: BoolArray) -> TotalCost:
    """Compare predicted costs (n, k) with those of the rows that got an offer in their reach."""
    offer = trial.arm.astype(np.int64) - 1
    rows = np.arange(trial.n_rows)
    got = np.flatnonzero((offer >= 0) & reach[rows, offer])
    ratio = ratio_of_sums(trial.cost[got], predicted[got, offer[got]], 1 / trial.propensity[got])
    error = ratio.standard_error / ratio.value if ratio and ratio.value > 0 else 0.0
    return TotalCost(ratio=ratio, relative_error=error)


def ratio_of_sums(paid: FloatArray, predicted: FloatArray, weight: FloatArray) -> Estimate | None:
    """Return Σ weight · paid over Σ weight · predicted; None where nothing is predicted."""
    total = float(weight @ predicted)
    if total <= 0:
        return None
    ratio = float(weight @ paid) / total
    error = float(np.sqrt(np.square(weight * (paid - ratio * predicted)).sum())) / total
    return interval(ratio, error)
