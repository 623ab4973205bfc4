"""The loops over users and offers, compiled; everything else in the package is small.

All kernels take the columns as they lie, visit the offers in canonical order, and add integers
(amounts in a fixed-point unit), so that neither the order of rows nor the number of threads can
change a sum. Position 0 of `totals` and `scale` is the value, 1 the count, then the measures;
`price` begins at the count.
"""

# ruff: noqa: PLR0917, FBT001 - numba takes no keyword-only arguments

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from incentive_engine.domain import MICROS, ROUNDING, FloatArray, IntArray

BLOCK: Final = 512
"""Users per block: its columns and scores stay in the first-level cache."""

FRACTION: Final = float(2**52)
"""The finer unit of the second word of an exact sum."""

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(kernel: Kernel) -> Kernel:
    """Compile a loop, once per machine; it runs without the interpreter's lock."""
    return cast("Kernel", numba.njit(nogil=True, cache=True, error_model="numpy")(kernel))


class Pairs(NamedTuple):
    """The columns, as the kernels read them.

    Attributes
    ----------
    value
        (k, n) float32 or float64, −inf where not eligible.
    columns
        (m, k, n) of the same type.
    cell
        (n,) uint16 or uint32.
    order
        (k,) int64, the column of the offer at each canonical position.
    scale
        (m + 2,) float64, fixed-point units per unit of value, count and each measure.
    cost
        The measure that is rounded up to millionths, −1 for none.
    forced
        Every user who can gets an offer.
    """

    value: npt.NDArray[Any]
    columns: npt.NDArray[Any]
    cell: npt.NDArray[Any]
    order: IntArray
    scale: FloatArray
    cost: int
    forced: bool


@compiled
def rounded_up(scaled: float) -> float:
    """Return the next whole number, or the nearest one within float64's own rounding.

    As `domain.to_micros`.
    """
    nearest = np.rint(scaled)
    if abs(scaled - nearest) <= ROUNDING * abs(scaled):
        return float(nearest)
    return float(np.ceil(scaled))


@compiled
def score_block(
    pairs: Pairs, at: int, price: FloatArray, first: int, size: int, score: FloatArray
) -> None:
    """Write value − Σ price·measure of the offer at `at` for `size` users from `first`."""
    column = pairs.order[at]
    cell = pairs.cell
    value = pairs.value
    for i in range(size):
        score[i] = value[column, first + i] - price[0, cell[first + i], at]
    for m in range(pairs.columns.shape[0]):
        amount = pairs.columns[m]
        if m == pairs.cost:
            for i in range(size):
                micros = rounded_up(np.float64(amount[column, first + i]) * MICROS)
                score[i] -= price[m + 1, cell[first + i], at] * (micros / MICROS)
        else:
            for i in range(size):
                score[i] -= price[m + 1, cell[first + i], at] * amount[column, first + i]


@compiled
def add_pair(pairs: Pairs, at: int, user: int, totals: IntArray) -> None:
    """Add one chosen pair to the totals."""
    c = pairs.cell[user]
    column = pairs.order[at]
    totals[0, c, at] += np.int64(np.rint(np.float64(pairs.value[column, user]) * pairs.scale[0]))
    totals[1, c, at] += 1
    for m in range(pairs.columns.shape[0]):
        amount = np.float64(pairs.columns[m, column, user]) * pairs.scale[m + 2]
        whole = rounded_up(amount) if m == pairs.cost else np.rint(amount)
        totals[m + 2, c, at] += np.int64(whole)


@compiled
def sweep(
    pairs: Pairs,
    price: FloatArray,
    start: int,
    stop: int,
    totals: IntArray,
    choice: npt.NDArray[np.int16],
) -> None:
    """Let each user choose the best offer at the prices; add up the choices, and write them."""
    best = np.empty(BLOCK)
    score = np.empty(BLOCK)
    chosen = np.empty(BLOCK, dtype=np.int16)
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        best[:] = -np.inf if pairs.forced else 0.0
        chosen[:] = -1
        for at in range(pairs.order.shape[0]):
            score_block(pairs, at, price, first, size, score)
            for i in range(size):
                if score[i] > best[i]:
                    best[i] = score[i]
                    chosen[i] = at
        for i in range(size):
            if chosen[i] >= 0:
                add_pair(pairs, chosen[i], first + i, totals)
        if choice.shape[0]:
            choice[first : first + size] = chosen[:size]


@compiled
def tally(
    pairs: Pairs, choice: npt.NDArray[np.int16], start: int, stop: int, totals: IntArray
) -> None:
    """Add up given choices."""
    for user in range(start, stop):
        if choice[user] >= 0:
            add_pair(pairs, choice[user], user, totals)


@compiled
def add_sizes(pairs: Pairs, start: int, stop: int, sizes: FloatArray) -> None:
    """Add up the absolute amounts of all eligible pairs, as floats."""
    for at in range(pairs.order.shape[0]):
        column = pairs.order[at]
        for user in range(start, stop):
            if pairs.value[column, user] > -np.inf:
                c = pairs.cell[user]
                sizes[0, c, at] += abs(np.float64(pairs.value[column, user]))
                sizes[1, c, at] += 1.0
                for m in range(pairs.columns.shape[0]):
                    sizes[m + 2, c, at] += abs(np.float64(pairs.columns[m, column, user]))


@compiled
def separation(
    pairs: Pairs, user: int, top: int, at: int, top_score: float, score: float, relative: bool
) -> float:
    """Return the distance between two choices of a user, −1 standing for no offer."""
    gap = top_score - score
    if not relative:
        return gap
    top_value = np.float64(pairs.value[pairs.order[top], user]) if top >= 0 else 0.0
    value = np.float64(pairs.value[pairs.order[at], user]) if at >= 0 else 0.0
    paid = abs((value - score) - (top_value - top_score))
    return gap / (paid + 0.1 * abs(value - top_value) + 1e-300)


@compiled
def distances(
    pairs: Pairs, price: FloatArray, relative: bool, start: int, stop: int, nearest: FloatArray
) -> None:
    """Write how far each user's choice is from changing.

    The distance between two choices is the difference of their scores; when `relative`, over the
    difference of what they pay at the prices (and a little of the difference of their values, so
    that users who pay nothing are comparable): the relative change of prices that swaps them.
    """
    k = pairs.order.shape[0]
    scores = np.empty((k, BLOCK))
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        for at in range(k):
            score_block(pairs, at, price, first, size, scores[at])
        for i in range(size):
            top, top_score = -1, -np.inf if pairs.forced else 0.0
            for at in range(k):
                if scores[at, i] > top_score:
                    top, top_score = at, scores[at, i]
            least = np.inf
            if top >= 0 and not pairs.forced:
                least = separation(pairs, first + i, top, -1, top_score, 0.0, relative)
            for at in range(k):
                other = scores[at, i]
                if at != top and other > -np.inf:
                    gap = separation(pairs, first + i, top, at, top_score, other, relative)
                    least = min(least, gap)
            nearest[first + i] = least


@compiled
def dual_sum(
    pairs: Pairs, price: FloatArray, unit: float, start: int, stop: int, words: IntArray
) -> None:
    """Add up every user's best score in two integer words, exact beyond float64."""
    best = np.empty(BLOCK)
    score = np.empty(BLOCK)
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        best[:] = -np.inf if pairs.forced else 0.0
        for at in range(pairs.order.shape[0]):
            score_block(pairs, at, price, first, size, score)
            for i in range(size):
                best[i] = max(best[i], score[i])
        for i in range(size):
            if best[i] > -np.inf:
                scaled = best[i] * unit
                whole = np.floor(scaled)
                words[0] += np.int64(whole)
                words[1] += np.int64((scaled - whole) * FRACTION) >> 24


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
    for j in range(value.shape[0]):
        for user in range(start, stop):
            v = np.float64(value[j, user])
            if v == -np.inf:
                continue
            if not np.isfinite(v):
                faults[0] += 1
                continue
            largest[0] = max(largest[0], abs(v))
            for m in range(columns.shape[0]):
                x = np.float64(columns[m, j, user])
                if not np.isfinite(x) or (m == cost and x < 0):
                    faults[m + 1] += 1
                else:
                    largest[m + 1] = max(largest[m + 1], abs(x))


@compiled
def content_keys(
    bits: npt.NDArray[np.uint64], seed: np.uint64, keys: npt.NDArray[np.uint64]
) -> None:
    """Mix one column of 64-bit words into the users' hashes (the finaliser of splitmix64)."""
    for user in range(bits.shape[0]):
        z = (keys[user] ^ bits[user]) + np.uint64(0x9E3779B97F4A7C15) + seed
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        keys[user] = z ^ (z >> np.uint64(31))
