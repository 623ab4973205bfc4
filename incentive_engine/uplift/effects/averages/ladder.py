"""Deeper coupons of one ladder do not work worse: the monotone repair."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numba
import numpy as np

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.parallel import in_blocks


def repair(effect: FloatArray, rungs: Sequence[tuple[int, ...]], weight: FloatArray) -> FloatArray:
    """Return the nearest effects that do not fall along any ladder.

    Parameters
    ----------
    effect
        (n, k) float64.
    rungs
        The positions of each ladder's offers, shallow first.
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
    repaired = np.ascontiguousarray(effect).copy()
    for ladder in rungs:
        columns = np.array(ladder, dtype=np.int64)
        in_blocks(partial(_mend, repaired, columns, weight), len(repaired))
    return repaired


def _mend(effect: FloatArray, columns: IntArray, weight: FloatArray, block: slice) -> None:
    _isotonic(effect[block], columns, weight)


@numba.njit(cache=True, nogil=True)
def _isotonic(effect: FloatArray, columns: IntArray, weight: FloatArray) -> None:
    """Mend the columns of one ladder, in place."""
    k = len(columns)
    total, mass, fitted = np.zeros(k + 1), np.zeros(k + 1), np.empty(k)
    for row in range(len(effect)):
        for at in range(k):
            total[at + 1] = total[at] + effect[row, columns[at]] * weight[columns[at]]
            mass[at + 1] = mass[at] + weight[columns[at]]
        fitted[:] = -np.inf
        for start in range(k):
            lowest = np.inf
            for end in range(k - 1, start - 1, -1):
                mean = (total[end + 1] - total[start]) / (mass[end + 1] - mass[start])
                lowest = min(lowest, mean)
                fitted[end] = max(fitted[end], lowest)
        for at in range(k):
            effect[row, columns[at]] = fitted[at]
