"""The loops that let users choose at prices, compiled.

Scores are computed in the type of the columns, eight at a time on common processors, and in
float64, with costs rounded up to millionths, for the users whose two best scores are nearer than
the faster arithmetic can tell apart. Every choice is therefore the one of float64.
"""

# ruff: noqa: PLR0917, FBT001 - numba takes no keyword-only arguments

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.kernels import Pairs, add_pair, compiled, rounded_up
from incentive_engine.domain import MICROS, FloatArray, IntArray

BLOCK: Final = 1024
"""Users per block: one offer's columns and scores stay in the first-level cache."""

FRACTION: Final = float(2**52)
"""The finer unit of the second word of an exact sum."""

GATHER: Final = 0
"""The prices of an offer differ between cells."""
REPEAT: Final = 1
"""They are those of the offer before."""
CONSTANT: Final = 2
"""They are the same in all cells."""
FREE: Final = 3
"""They are zero, so the column need not be read."""


class PriceTable(NamedTuple):
    """Prices, as the kernels read them.

    Attributes
    ----------
    fast
        (m + 1, k, n_cells) in the type of the columns, prices per issued offer and per unit of
        each measure.
    kind
        (m + 1, k) int8: GATHER, REPEAT, CONSTANT or FREE.
    exact
        (m + 1, n_cells, k) float64.
    margin
        Two scores that differ by no more are compared in float64.
    """

    fast: npt.NDArray[Any]
    kind: npt.NDArray[np.int8]
    exact: FloatArray
    margin: float


def price_table(pairs: Pairs, price: FloatArray, largest: FloatArray) -> PriceTable:
    """Return prices in the form that the kernels read.

    Parameters
    ----------
    price
        (m + 1, n_cells, k) float64.
    largest
        (m + 2,) float64, the largest absolute value, 1, and the largest amount of each measure.

    Notes
    -----
    A score is at most 2m + 3 roundings away from its exact value, each a half unit in the last
    place of the largest amount that can occur; a cost is moreover rounded up by a millionth.
    """
    kind_of = pairs.value.dtype
    swapped = np.ascontiguousarray(price.transpose(0, 2, 1))
    with np.errstate(over="ignore"):
        fast = swapped.astype(kind_of)
    same = np.zeros(swapped.shape[:2], dtype=np.int8)
    same[(swapped == swapped[:, :, :1]).all(axis=2)] = CONSTANT
    same[:, 1:][(swapped[:, 1:] == swapped[:, :-1]).all(axis=2)] = REPEAT
    same[(swapped == 0).all(axis=2)] = FREE
    steepest = np.abs(price).reshape(len(price), -1).max(axis=1, initial=0.0)
    size = float(largest[0] + steepest @ largest[1:])
    margin = (2 * len(price) + 2) * float(np.finfo(kind_of).eps) * size
    if pairs.cost >= 0:
        margin += 2.0 * steepest[pairs.cost + 1] / MICROS
    return PriceTable(
        fast=fast, kind=same, exact=np.ascontiguousarray(price), margin=float(margin)
    )


@compiled
def exact_score(pairs: Pairs, price: FloatArray, user: int, at: int) -> float:
    """Return value − Σ price·measure of one pair in float64, its cost rounded up."""
    column = pairs.order[at]
    c = pairs.cell[user]
    score = np.float64(pairs.value[column, user]) - price[0, c, at]
    for m in range(pairs.columns.shape[0]):
        amount = np.float64(pairs.columns[m, column, user])
        whole = rounded_up(amount * MICROS) / MICROS if m == pairs.cost else float(amount)
        score -= price[m + 1, c, at] * whole
    return float(score)


@compiled
def exact_choice(pairs: Pairs, price: FloatArray, user: int) -> int:
    """Return the best offer of a user in float64, −1 for none; the first one of equal ones."""
    chosen = -1
    best = -np.inf if pairs.forced else 0.0
    for at in range(pairs.order.shape[0]):
        score = exact_score(pairs, price, user, at)
        if score > best:
            best = score
            chosen = at
    return chosen


@compiled
def prices_paid(
    prices: PriceTable,
    m: int,
    at: int,
    cell: npt.NDArray[Any],
    paid: npt.NDArray[Any],
) -> None:
    """Write what users of these cells pay per unit of a measure with the offer at `at`.

    `paid` keeps the prices of the offer before, which may be the same.
    """
    kind = prices.kind[m, at]
    table = prices.fast[m, at]
    if kind == GATHER:
        for i in range(cell.shape[0]):
            paid[i] = table[cell[i]]
    elif kind == CONSTANT:
        for i in range(cell.shape[0]):
            paid[i] = table[0]


@compiled
def fast_scores(
    pairs: Pairs,
    prices: PriceTable,
    at: int,
    first: int,
    size: int,
    paid: npt.NDArray[Any],
    score: npt.NDArray[Any],
) -> None:
    """Write the scores of the offer at `at` for `size` users from `first`.

    `paid` is (m + 1, BLOCK) and keeps the users' prices from one offer to the next.
    """
    column = pairs.order[at]
    cell = pairs.cell[first : first + size]
    value = pairs.value[column, first : first + size]
    free = prices.kind[0, at] == FREE
    prices_paid(prices, 0, at, cell, paid[0])
    each = paid[0]
    for i in range(size):
        score[i] = value[i] if free else value[i] - each[i]
    for m in range(pairs.columns.shape[0]):
        if prices.kind[m + 1, at] != FREE:
            prices_paid(prices, m + 1, at, cell, paid[m + 1])
            amount, own = pairs.columns[m, column, first : first + size], paid[m + 1]
            for i in range(size):
                score[i] -= own[i] * amount[i]


@compiled
def choose_block(
    pairs: Pairs,
    prices: PriceTable,
    first: int,
    size: int,
    paid: npt.NDArray[Any],
    score: npt.NDArray[Any],
    best: npt.NDArray[Any],
    second: npt.NDArray[Any],
    chosen: npt.NDArray[np.int32],
) -> None:
    """Write the choices of `size` users from `first`, and their best scores.

    The rows of `second`, (2, BLOCK), take turns: a loop that stores where it has just read
    compiles to masked stores, which are slow.
    """
    lowest = -np.inf if pairs.forced else 0.0
    for i in range(size):
        best[i] = lowest
        second[0, i] = -np.inf
        chosen[i] = -1
    for at in range(pairs.order.shape[0]):
        fast_scores(pairs, prices, at, first, size, paid, score)
        offer = np.int32(at)
        before, after = second[at % 2], second[1 - at % 2]
        for i in range(size):
            s, b, before_it, own = score[i], best[i], before[i], chosen[i]
            lower = s if s < b else b  # noqa: FURB136 - min would pass NaN on
            after[i] = lower if lower > before_it else before_it  # noqa: FURB136 - the same
            chosen[i] = offer if s > b else own
            best[i] = s if s > b else b  # noqa: FURB136 - the same
    last = second[pairs.order.shape[0] % 2]
    for i in range(size):
        if not best[i] - last[i] > prices.margin:
            chosen[i] = exact_choice(pairs, prices.exact, first + i)


@compiled
def sweep(
    pairs: Pairs,
    prices: PriceTable,
    start: int,
    stop: int,
    totals: IntArray,
    choice: npt.NDArray[np.int16],
) -> None:
    """Let each user choose the best offer at the prices; add up the choices, and write them."""
    kind = prices.fast.dtype
    paid = np.empty((prices.fast.shape[0], BLOCK), dtype=kind)
    score = np.empty(BLOCK, dtype=kind)
    best = np.empty(BLOCK, dtype=kind)
    second = np.empty((2, BLOCK), dtype=kind)
    chosen = np.empty(BLOCK, dtype=np.int32)
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        choose_block(pairs, prices, first, size, paid, score, best, second, chosen)
        for i in range(size):
            if chosen[i] >= 0:
                add_pair(pairs, chosen[i], first + i, totals)
        if choice.shape[0]:
            for i in range(size):
                choice[first + i] = chosen[i]


@compiled
def dual_sum(
    pairs: Pairs, prices: PriceTable, unit: float, start: int, stop: int, words: IntArray
) -> None:
    """Add up every user's best score in two integer words, exact beyond float64."""
    kind = prices.fast.dtype
    paid = np.empty((prices.fast.shape[0], BLOCK), dtype=kind)
    score = np.empty(BLOCK, dtype=kind)
    best = np.empty(BLOCK, dtype=kind)
    second = np.empty((2, BLOCK), dtype=kind)
    chosen = np.empty(BLOCK, dtype=np.int32)
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        choose_block(pairs, prices, first, size, paid, score, best, second, chosen)
        for i in range(size):
            if chosen[i] >= 0:
                scaled = exact_score(pairs, prices.exact, first + i, chosen[i]) * unit
                whole = np.floor(scaled)
                words[0] += np.int64(whole)
                words[1] += np.int64((scaled - whole) * FRACTION) >> 24


@compiled
def distances(
    pairs: Pairs,
    prices: PriceTable,
    relative: bool,
    start: int,
    stop: int,
    nearest: npt.NDArray[Any],
) -> None:
    """Write how far each user's choice is from changing.

    The distance between two choices is the difference of their scores; when `relative`, over the
    difference of what they pay at the prices (and a little of the difference of their values, so
    that users who pay nothing are comparable): the relative change of prices that swaps them.
    """
    k = pairs.order.shape[0]
    kind = prices.fast.dtype
    paid = np.empty((prices.fast.shape[0], BLOCK), dtype=kind)
    scores = np.zeros((k + 1, BLOCK), dtype=kind)  # row 0 is no offer
    values = np.zeros((k + 1, BLOCK), dtype=kind)
    if pairs.forced:
        scores[0] = -np.inf
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        for at in range(k):
            fast_scores(pairs, prices, at, first, size, paid, scores[at + 1])
            values[at + 1, :size] = pairs.value[pairs.order[at], first : first + size]
        nearest_choice(scores, values, relative, nearest[first : first + size])


@compiled
def nearest_choice(
    scores: npt.NDArray[Any],
    values: npt.NDArray[Any],
    relative: bool,
    nearest: npt.NDArray[Any],
) -> None:
    """Write each user's distance from the best score to any other, by rows of choices."""
    size = nearest.shape[0]
    top = np.full(size, -np.inf, dtype=scores.dtype)
    worth = np.zeros(size, dtype=scores.dtype)
    chosen = np.zeros(size, dtype=np.int32)
    least = np.full((2, size), np.inf, dtype=scores.dtype)  # rows take turns, as above
    small = np.float32(0.1)
    tiny = np.float32(1e-37)
    for at in range(scores.shape[0]):
        score, value, row = scores[at], values[at], np.int32(at)
        for i in range(size):
            s, b, own, w, v = score[i], top[i], chosen[i], worth[i], value[i]
            chosen[i] = row if s > b else own
            worth[i] = v if s > b else w
            top[i] = s if s > b else b  # noqa: FURB136 - max would pass NaN on
    for at in range(scores.shape[0]):
        score, value, row = scores[at], values[at], np.int32(at)
        before, after = least[at % 2], least[1 - at % 2]
        for i in range(size):
            gap = top[i] - score[i]
            if relative:
                more = worth[i] - value[i]
                gap /= abs(gap - more) + small * abs(more) + tiny
            own, known = chosen[i], before[i]
            gap = known if own == row else gap
            after[i] = gap if gap < known else known  # noqa: FURB136 - min would pass NaN on
    nearest[:] = least[scores.shape[0] % 2]
