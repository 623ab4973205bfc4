"""One knapsack per bin: the relaxation in which a user may go to several bins or none.

Everyone has a price that is paid for going to a bin; a bin takes whom it gains most from. What the
prices add up to, less what the bins gain, is never above the cost of an assignment.

References
----------
Fisher, Jaikumar and Van Wassenhove, "A multiplier adjustment method for the generalized assignment
problem", Management Science 32 (1986).
Posta, Ferland and Michelon, "An exact method with variable fixing for solving the generalized
assignment problem", Computational Optimization and Applications 52 (2012), §2 (the tests).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from incentive_engine.domain import BoolArray, FloatArray, IntArray
from incentive_engine.jit import compiled

PASS: Final = 4
"""Entries of a table that take about as long as looking at a pair."""


class Bins(NamedTuple):
    """What the kernels read.

    Attributes
    ----------
    cost
        (b, n) float64, whole multiples of `step`, which float64 adds up exactly.
    weight
        (b, n) int64, ≥ 0.
    room
        (b,) int64, what the weights in a bin may add up to.
    part
        (b,) int64, in how large parts tables count weight and room, both rounded down.
    parts
        (b, n) int64, weights in parts.
    step
        What costs are multiples of; prices are whole.
    """

    cost: FloatArray
    weight: IntArray
    room: IntArray
    part: IntArray
    parts: IntArray
    step: float


class Scratch(NamedTuple):
    """Where kernels write.

    Attributes
    ----------
    table, back
        (n + 1, parts + 1) float64, what the first or last items gain in so much room.
    items
        (n,) int64, the users whom a bin could gain from.
    taken
        (b, n) bool, whom the bins took.
    often
        (b, n) float64, how often lately.
    without, within
        (b, n) float64, bounds where a bin must not or must take a user.
    loose
        (b, n) bool, open pairs of users who are not settled.
    free
        (n,) bool, users who are not settled.
    rest
        (b,) int64, the room that settled users leave.
    spent
        (1,) float64, table entries filled, a billion each.
    """

    table: FloatArray
    back: FloatArray
    items: IntArray
    taken: BoolArray
    often: FloatArray
    without: FloatArray
    within: FloatArray
    loose: BoolArray
    free: BoolArray
    rest: IntArray
    spent: FloatArray


@compiled
def make_scratch(bins: Bins) -> Scratch:
    """Return scratch for some bins."""
    b, n = bins.cost.shape
    width = 1 + np.max(bins.room // bins.part)
    return Scratch(
        np.empty((n + 1, width)),
        np.empty((n + 1, width)),
        np.zeros(n, np.int64),
        np.zeros((b, n), np.bool_),
        np.zeros((b, n)),
        np.zeros((b, n)),
        np.zeros((b, n)),
        np.zeros((b, n), np.bool_),
        np.zeros(n, np.bool_),
        np.zeros(b, np.int64),
        np.zeros(1),
    )


@compiled
def _fill(before: Any, after: Any, weight: int, gain: float, room: int) -> None:  # noqa: ANN401 - rows of a table
    """Fill a row of a table: what is gained in so much room with one more item."""
    for space in range(weight):
        after[space] = before[space]
    for space in range(weight, room + 1):
        after[space] = max(before[space], before[space - weight] + gain)


@compiled
def pack(bins: Bins, price: FloatArray, at: Scratch) -> float:
    """Return what the bins gain from users who are not settled; write whom they take."""
    b, n = bins.cost.shape
    gained = 0.0
    for i in range(b):
        room, count, table = at.rest[i] // bins.part[i], 0, at.table
        table[0, : room + 1] = 0.0
        for j in range(n):
            at.taken[i, j] = False
            gain = price[j] - bins.cost[i, j]
            if at.loose[i, j] and gain > 0:
                _fill(table[count], table[count + 1], bins.parts[i, j], gain, room)
                at.items[count] = j
                count += 1
        gained += table[count, room]
        at.spent[0] += 1e-9 * (count * (room + 1) + PASS * n)
        space = room
        for item in range(count - 1, -1, -1):
            if table[item + 1, space] != table[item, space]:
                j = at.items[item]
                at.taken[i, j] = True
                space -= bins.parts[i, j]
    return gained


@compiled
def test_pairs(bins: Bins, price: FloatArray, bound: float, at: Scratch) -> None:
    """Write the bounds that follow where a bin must not take a user, and where it must.

    Parameters
    ----------
    bound
        That at these prices.
    """
    b, n = bins.cost.shape
    for i in range(b):
        room, count, table, back = at.rest[i] // bins.part[i], 0, at.table, at.back
        table[0, : room + 1] = 0.0
        for j in range(n):
            gain = price[j] - bins.cost[i, j]
            if at.loose[i, j] and gain > 0:
                _fill(table[count], table[count + 1], bins.parts[i, j], gain, room)
                at.items[count] = j
                count += 1
        back[count, : room + 1] = 0.0
        for item in range(count - 1, -1, -1):
            j = at.items[item]
            gain = price[j] - bins.cost[i, j]
            _fill(back[item + 1], back[item], bins.parts[i, j], gain, room)
        most = table[count, room]
        at.spent[0] += 1e-9 * (4 * count * (room + 1) + PASS * n)
        for j in range(n):
            if at.loose[i, j]:
                gain = price[j] - bins.cost[i, j]
                at.without[i, j] = bound
                at.within[i, j] = bound + most - gain - table[count, room - bins.parts[i, j]]
        for item in range(count):
            j = at.items[item]
            weight, gain = bins.parts[i, j], price[j] - bins.cost[i, j]
            at.without[i, j] = bound + most - _joined(table[item], back[item + 1], room)
            left = _joined(table[item], back[item + 1], room - weight)
            at.within[i, j] = bound + most - gain - left


@compiled
def _joined(first: Any, last: Any, room: int) -> float:  # noqa: ANN401 - rows of a table
    """Return what two groups of items gain together in so much room."""
    most = 0.0
    for space in range(room + 1):
        most = max(most, first[space] + last[room - space])
    return most
