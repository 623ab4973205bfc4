"""The loops over users and offers, compiled; everything else in the package is small.

All kernels take the columns as they lie, visit the offers in canonical order, and add integers
(amounts in a fixed-point unit), so that neither the order of rows nor the number of threads can
change a sum. Position 0 of `scale` is the value, 1 the count, then the measures; `totals` is
(n_cells, k, m + 2), so that what a pair adds to lies together; `price` begins at the count.
"""

# ruff: noqa: PLR0917 - numba takes no keyword-only arguments

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from incentive_engine.domain import ROUNDING, FloatArray, IntArray

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
    above = scaled - nearest > ROUNDING * abs(scaled)
    return float(nearest + 1.0 if above else nearest)


@compiled
def add_pair(pairs: Pairs, at: int, user: int, totals: IntArray) -> None:
    """Add one chosen pair to the totals."""
    column = pairs.order[at]
    sums = totals[pairs.cell[user], at]
    sums[0] += np.int64(np.rint(np.float64(pairs.value[column, user]) * pairs.scale[0]))
    sums[1] += 1
    for m in range(pairs.columns.shape[0]):
        amount = np.float64(pairs.columns[m, column, user]) * pairs.scale[m + 2]
        whole = rounded_up(amount) if m == pairs.cost else np.rint(amount)
        sums[m + 2] += np.int64(whole)


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
