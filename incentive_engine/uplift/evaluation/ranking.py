"""How well predicted effects rank users, and whether they come true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.stats.estimate import Estimate
from incentive_engine.stats.intervals import interval, mean_with_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedGroup:
    """Users with similar predictions.

    Attributes
    ----------
    rows
        How many.
    predicted
        Mean prediction.
    observed
        What happened, with its 95 % interval.
    """

    rows: int
    predicted: float
    observed: Estimate


def groups(
    predicted: FloatArray, observed: FloatArray, weight: FloatArray
) -> tuple[RankedGroup, ...]:
    """Compare predictions (n,) with observations in up to five groups of equal size, low to high.

    Equal predictions share a group, so that a constant prediction makes one group; there are fewer
    groups where one of them would have a single row, whose mean has no interval.
    """
    label = _quantile_labels(predicted)
    return tuple(
        RankedGroup(
            rows=len(inside),
            predicted=float(np.average(predicted[inside], weights=weight[inside])),
            observed=mean_with_interval(observed[inside], weight[inside]),
        )
        for inside in (np.flatnonzero(label == group) for group in np.unique(label))
    )


def slope(predicted: FloatArray, observed: FloatArray, fold: IntArray) -> Estimate | None:
    """Return the slope of observations on predictions: 1 when well scaled, below when too bold.

    None when the prediction is constant within each fold.

    Parameters
    ----------
    predicted, observed
        (n,) predictions by models that did not see the row, and what happened.
    fold
        (n,) rows of one label were predicted by the same models.

    Notes
    -----
    Rows are compared within their fold: where outcomes were poor, the others' models promise most.
    The variance is robust to heteroscedasticity. Each outcome also formed the predictions of other
    folds, so that where predictions differ by noise, every pair of rows counts twice in the error;
    a slope b says that the share 1 - b of their differences is noise, and the variance grows by
    that share.
    """
    centred = predicted - _means(predicted, fold)
    spread = float(centred @ centred)
    if spread <= 1e-18 * len(predicted):
        return None
    estimate = float(centred @ observed) / spread
    residual = observed - observed.mean() - estimate * centred
    error = float(np.sqrt(np.square(centred * residual).sum())) / spread
    noise = min(max(1 - estimate, 0.0), 1.0)
    return interval(estimate, error * float(np.sqrt(1 + noise)))


def _means(values: FloatArray, fold: IntArray) -> FloatArray:
    """Return the mean of each row's fold, (n,)."""
    total, rows = np.bincount(fold, weights=values), np.bincount(fold)
    return np.asarray((total / np.maximum(rows, 1))[fold])


def auuc(rank: FloatArray, increment: FloatArray) -> Estimate:
    """Return the area under the uplift curve, per user.

    Notes
    -----
    The curve at q is the increment, per user of all, when the share q of users with the highest
    predictions get the offer: ``Q(q) = mean(increment · 1{u <= q})`` with u a user's rank from the
    top over n. Its area over q from 0 to 1 is ``mean(increment · (1 - u))``.

    Parameters
    ----------
    rank
        (n,) u, of `ranks`.
    increment
        (n,) doubly robust increments, unbiased for each user's effect.
    """
    return mean_with_interval(increment * (1 - rank))


def qini(rank: FloatArray, increment: FloatArray) -> Estimate:
    """Return the area between the uplift curve and the straight line of random targeting.

    The arguments are those of `auuc`.

    Notes
    -----
    ``AUUC - mean(increment) / 2 = mean(increment · (1/2 - u))``; 0 for a constant prediction.

    References
    ----------
    Radcliffe: Using control groups to target on predicted lift (2007), with doubly robust
    increments in place of differences of group means.
    """
    return mean_with_interval((increment - increment.mean()) * (0.5 - rank))


def qini_difference(first: FloatArray, second: FloatArray, increment: FloatArray) -> Estimate:
    """Return the Qini of one prediction (n,) minus that of another, by the same increments."""
    centred = increment - increment.mean()
    return mean_with_interval(centred * (ranks(second) - ranks(first)))


def ranks(predicted: FloatArray) -> FloatArray:
    """Return each prediction's rank from the top over n, in (0, 1); ties share the mean."""
    _, tie, count = np.unique(-predicted, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray(((last - count / 2) / len(predicted))[tie])


def _quantile_labels(predicted: FloatArray) -> IntArray:
    # rows of a group, at least: one has no spread to tell an error by
    fewest = 2
    for count in range(5, 1, -1):
        edges = np.unique(np.quantile(predicted, np.linspace(0, 1, count + 1)[1:-1]))
        label = np.searchsorted(edges, predicted, side="left").astype(np.int64)
        if np.bincount(label)[np.unique(label)].min() >= fewest:
            return label
    return np.zeros(len(predicted), dtype=np.int64)
