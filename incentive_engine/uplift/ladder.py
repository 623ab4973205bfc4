"""Deeper coupons of one ladder do not work worse: the monotone repair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from incentive_engine.config.schema import Offer
from incentive_engine.domain import FloatArray


def ladders(offers: Sequence[Offer]) -> tuple[tuple[int, ...], ...]:
    """Return the positions of the offers of each ladder, by face value, shallow first."""
    named: dict[str, list[int]] = {}
    for position, offer in enumerate(offers):
        if offer.ladder is not None:
            named.setdefault(offer.ladder, []).append(position)
    return tuple(
        tuple(sorted(rungs, key=lambda position: (offers[position].face_value, position)))
        for rungs in named.values()
        if len(rungs) > 1
    )


def repair(effect: FloatArray, rungs: Sequence[tuple[int, ...]], weight: FloatArray) -> FloatArray:
    """Return the nearest effects that do not fall along any ladder.

    Parameters
    ----------
    effect
        (n, k) float64.
    rungs
        From `ladders`.
    weight
        (k,) precision of each offer's effects; a noisy rung moves more.

    Notes
    -----
    Isotonic regression per user, by the min-max formula
    ``g_j = max_{s<=j} min_{t>=j} mean(effect[s..t])``.

    References
    ----------
    Robertson, Wright, Dykstra: Order Restricted Statistical Inference (1988), theorem 1.4.4.

    Examples
    --------
    >>> repair(np.array([[3.0, 1.0, 5.0]]), [(0, 1, 2)], np.ones(3)).tolist()
    [[2.0, 2.0, 5.0]]
    """
    repaired = effect.copy()
    for ladder in rungs:
        columns = list(ladder)
        repaired[:, columns] = _isotonic(effect[:, columns], weight[columns])
    return repaired


def _isotonic(effect: FloatArray, weight: FloatArray) -> FloatArray:
    n, k = effect.shape
    mass = np.concatenate([[0.0], np.cumsum(weight)])
    total = np.column_stack([np.zeros(n), np.cumsum(effect * weight, axis=1)])
    fitted = np.full((n, k), -np.inf)
    for start in range(k):
        lowest = np.full(n, np.inf)
        for end in range(k - 1, start - 1, -1):
            mean = (total[:, end + 1] - total[:, start]) / (mass[end + 1] - mass[start])
            lowest = np.minimum(lowest, mean)
            fitted[:, end] = np.maximum(fitted[:, end], lowest)
    return fitted
