"""Integer programs whose limits share no pair: users are assigned to bins with room.

Each limit is a bin that takes some of the users, and what no limit counts is a bin without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp

from incentive_engine.allocation.integer.cp_sat import Selection, integers_per_unit, rounded_off
from incentive_engine.allocation.integer.knapsacks import Bins
from incentive_engine.domain import BoolArray, FloatArray, IntArray

EXACT: Final = 2.0**50
"""Sums of costs and prices stay below this, so that float64 adds them exactly."""

FINEST: Final = 2.0**10
"""Prices are at most this much finer than costs."""

SPACES: Final = 4_000_000
"""Entries in the tables of all knapsacks together: a bound takes milliseconds."""

FEWEST: Final = 1_000
"""Each knapsack's room is counted in at least so many parts."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assignment:
    """An integer program as an assignment of its groups to bins, one each.

    Attributes
    ----------
    bins
        Costs and weights.
    opened
        (b, n) bool, the bins that a group may go to.
    pair
        (b, n) int64, the pair behind that, −1 for none.
    unit
        Cost for one unit of the objective.
    off
        By how much the costs of all groups may be off in sum.
    """

    bins: Bins
    opened: BoolArray
    pair: IntArray
    unit: float
    off: float


def assignment_of(selection: Selection) -> Assignment | None:
    """Return a selection as an assignment, None where its limits are of another form.

    Limits that cannot be passed do not count. The others must bound from above what pairs use, at
    most one of each group, and no pair may use two of them.
    """
    matrix = None if len(selection.elastic) else _tight(selection)
    if matrix is None:
        return None
    count, users = np.unique(selection.group, return_inverse=True)
    rows, pairs = matrix.weights.nonzero()
    if len(np.unique(pairs)) < len(pairs):
        return None
    n, b = len(count), len(matrix.room)
    pair = np.full((b + 1, n), -1)
    pair[rows, users[pairs]] = pairs
    if np.count_nonzero(pair >= 0) < len(pairs):
        return None
    unlimited = np.setdiff1d(np.arange(len(users)), pairs)
    for one in unlimited[np.argsort(selection.objective[unlimited], kind="stable")].tolist():
        if selection.forced or selection.objective[one] > 0.0:
            pair[b, users[one]] = one
    opened, worth = pair >= 0, np.zeros((b + 1, n))
    worth[opened] = selection.objective[pair[opened]]
    opened[b] |= not selection.forced
    weight = np.zeros((b + 1, n), dtype=np.int64)
    weight[rows, users[pairs]] = matrix.weights[rows, pairs]
    unit = integers_per_unit(selection.objective)
    cost = -np.rint(worth * unit)
    return Assignment(
        bins=_bins(cost, weight, np.append(matrix.room, 0)),
        opened=opened,
        pair=pair,
        unit=unit,
        off=rounded_off(selection.objective, unit) * n,
    )


def has_bins(selection: Selection) -> bool:
    """Return whether a selection has the form of an assignment."""
    return assignment_of(selection) is not None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Tight:
    """The limits that could be passed: (b, p) weights ≥ 0, and (b,) int64 room ≥ 0."""

    weights: sp.csr_array
    room: IntArray


def _tight(selection: Selection) -> _Tight | None:
    """Return the limits that could be passed, None where one is not a bound from above."""
    rows, rooms = [], []
    for row, (lower, upper) in enumerate(zip(selection.lower, selection.upper, strict=True)):
        data = selection.matrix[[row]].data
        if lower is not None and lower > data[data < 0].sum():
            return None
        if upper is None or upper >= data[data > 0].sum():
            continue
        if upper < 0 or np.any(data < 0):
            return None
        rows.append(row)
        rooms.append(upper)
    weights = sp.csr_array(selection.matrix[rows])
    return _Tight(weights=weights, room=np.array(rooms, dtype=np.int64)) if rows else None


def _bins(cost: FloatArray, weight: IntArray, room: IntArray) -> Bins:
    """Return bins with costs as fine as sums of them can be."""
    largest = max(float(np.max(np.abs(cost))), 1.0)
    finer = EXACT / (8.0 * cost.shape[1] * largest)
    step = float(np.exp2(np.floor(np.log2(min(max(finer, 1.0), FINEST)))))
    most = max(SPACES // cost.size, FEWEST)
    part = np.maximum(-(-room // most), 1)
    return Bins(
        cost=step * cost,
        weight=weight,
        room=room,
        part=part,
        parts=weight // part[:, None],
        step=step,
    )
