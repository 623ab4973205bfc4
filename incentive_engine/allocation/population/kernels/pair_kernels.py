"""The passes over users that no prices steer, compiled."""

# ruff: noqa: PLR0917, FBT001 - numba takes no keyword-only arguments

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.population.kernels.score_kernels import (
    BLOCK,
    KernelColumns,
    add_pair,
    rounded_up,
)
from incentive_engine.domain import MICROS, ChoiceArray, FloatArray, IntArray
from incentive_engine.jit import compiled


@compiled
def tally(
    pairs: KernelColumns, choice: ChoiceArray, start: int, stop: int, totals: IntArray
) -> None:
    """Add up given choices."""
    for user in range(start, stop):
        if choice[user] >= 0:
            add_pair(pairs, choice[user], user, totals)


@compiled
def chosen_costs(
    pairs: KernelColumns, choice: ChoiceArray, start: int, stop: int, cost: IntArray
) -> None:
    """Write what given choices cost in millionths, rounded up."""
    for user in range(start, stop):
        if choice[user] >= 0:
            amount = np.float64(pairs.columns[pairs.cost, pairs.order[choice[user]], user])
            cost[user] = np.int64(rounded_up(amount * MICROS))


@compiled
def add_sizes(pairs: KernelColumns, start: int, stop: int, totals: IntArray) -> None:
    """Add up the absolute amounts of all eligible pairs."""
    for at in range(pairs.order.shape[0]):
        column = pairs.order[at]
        for user in range(start, stop):
            if pairs.value[column, user] > -np.inf:
                sums = totals[pairs.cell[user], at]
                value = abs(np.float64(pairs.value[column, user]))
                sums[0] += np.int64(np.rint(value * pairs.scale[0]))
                sums[1] += 1
                for m in range(pairs.columns.shape[0]):
                    amount = abs(np.float64(pairs.columns[m, column, user]))
                    sums[m + 2] += np.int64(np.rint(amount * pairs.scale[m + 2]))


@compiled
def ranges(
    value: npt.NDArray[Any],
    columns: npt.NDArray[Any],
    cost: int,
    start: int,
    stop: int,
    largest: FloatArray,
    faults: IntArray,
) -> None:
    """Find the largest absolute amounts of eligible pairs and count numbers that are not valid.

    `faults` counts values that are NaN or +inf, then per measure entries that are not finite
    (or, for the cost, negative), of eligible pairs.
    """
    top = np.zeros((columns.shape[0] + 1, BLOCK), dtype=value.dtype)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        for j in range(value.shape[0]):
            v = value[j, first:last]
            faults[0] += range_of(v, v, False, top[0])
            for m in range(columns.shape[0]):
                faults[m + 1] += range_of(v, columns[m, j, first:last], m == cost, top[m + 1])
    for m in range(columns.shape[0] + 1):
        for i in range(BLOCK):
            largest[m] = max(largest[m], np.float64(top[m, i]))


@compiled
def range_of(
    value: npt.NDArray[Any], amount: npt.NDArray[Any], positive: bool, top: npt.NDArray[Any]
) -> int:
    """Raise `top` to the absolute amounts of eligible pairs; return how many are not valid."""
    wrong = 0
    for i in range(value.shape[0]):
        size = abs(amount[i])
        # false for NaN as well, which compares as false with everything
        valid = size < np.inf and not (positive and amount[i] < 0)
        eligible = value[i] != -np.inf
        wrong += 1 if eligible and not valid else 0
        # a zero of the column's own type keeps the loop in that type
        size = size if eligible and valid else amount.dtype.type(0)
        top[i] = size if size > top[i] else top[i]  # noqa: FURB136 - max is slower
    return wrong


@compiled
def content_keys(
    pairs: KernelColumns, start: int, stop: int, keys: npt.NDArray[np.uint64]
) -> None:
    """Mix the users' numbers into their hashes, one after the other, and then their bits.

    `keys` begins as the users' cells. Numbers of pairs that are not eligible count 0. The last
    mixing is the finaliser of splitmix64.
    """
    number = np.empty(BLOCK)
    bits = number.view(np.uint64)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        key = keys[first:last]
        for at in range(pairs.order.shape[0]):
            column = pairs.order[at]
            value = pairs.value[column, first:last]
            mix_numbers(value, value, number, bits, key)
            for m in range(pairs.columns.shape[0]):
                mix_numbers(value, pairs.columns[m, column, first:last], number, bits, key)
        for i in range(last - first):
            z = key[i] + np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            key[i] = z ^ (z >> np.uint64(31))


@compiled
def mix_numbers(
    value: npt.NDArray[Any],
    amount: npt.NDArray[Any],
    number: FloatArray,
    bits: npt.NDArray[np.uint64],
    key: npt.NDArray[np.uint64],
) -> None:
    """Mix one number per user into the keys; `bits` are those of `number`, which is room."""
    for i in range(value.shape[0]):
        # adding 0.0 turns −0.0, the same number in other bits, into 0.0
        number[i] = np.float64(amount[i]) + 0.0 if value[i] > -np.inf else 0.0
    for i in range(value.shape[0]):
        z = (key[i] ^ bits[i]) * np.uint64(0x9E3779B97F4A7C15)
        key[i] = z ^ (z >> np.uint64(32))


@compiled
def take_columns(
    columns: npt.NDArray[Any],
    order: IntArray,
    index: IntArray,
    start: int,
    stop: int,
    taken: npt.NDArray[Any],
) -> None:
    """Copy some users' entries of the columns, which are put into canonical order."""
    for at in range(order.shape[0]):
        for i in range(start, stop):
            taken[at, i] = columns[order[at], index[i]]


@compiled
def count_cells(cell: npt.NDArray[Any], start: int, stop: int, counts: IntArray) -> None:
    """Count the users of each cell."""
    for user in range(start, stop):
        counts[cell[user]] += 1


@compiled
def draw(
    cell: npt.NDArray[Any],
    key: npt.NDArray[np.uint64],
    below: npt.NDArray[np.uint64],
    start: int,
    stop: int,
    drawn: IntArray,
) -> None:
    """Write the users whose hashed key, 53 bits, is below their cell's threshold.

    The last entry of `drawn` is how many these are.
    """
    count = 0
    for user in range(start, stop):
        # 53 leading bits, as many as a threshold made from a float64 has
        hashed = (key[user] * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(11)
        if hashed < below[cell[user]]:
            drawn[count] = user
            count += 1
    drawn[-1] = count


@compiled
def count_leading(
    bits: npt.NDArray[Any], shift: int, start: int, stop: int, counts: IntArray
) -> None:
    """Count numbers by their leading bits."""
    for user in range(start, stop):
        counts[np.int64(bits[user]) >> shift] += 1


@compiled
def find_leading(
    bits: npt.NDArray[Any], shift: int, most: int, start: int, stop: int, index: IntArray
) -> None:
    """Write whose leading bits are at most `most`; the last entry is how many these are."""
    count = 0
    for user in range(start, stop):
        if np.int64(bits[user]) >> shift <= most:
            index[count] = user
            count += 1
    index[-1] = count
