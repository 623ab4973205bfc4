"""The users' pairs as the loops read them, how they score at prices and are chosen, compiled.

All kernels take the columns as they lie, visit the offers in canonical order, and add integers
(amounts in a fixed-point unit), so that neither the order of rows nor the number of threads can
change a sum. Position 0 of `scale` is the value, 1 the count, then the measures; `totals` is
(n_cells, k, m + 2), so that what a pair adds to lies together; `price` begins at the count.

Scores are computed in the type of the columns, eight at a time on common processors, and in
float64, with costs rounded up to millionths, for the users whose two best scores are nearer than
the faster arithmetic can tell apart. Every choice is therefore the one of float64.
"""

# ruff: noqa: PLR0917 - numba takes no keyword-only arguments

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from incentive_engine.domain import MICROS, ROUNDING, FloatArray, IntArray
from incentive_engine.jit import compiled

BLOCK: Final = 1024
"""Users per block: one offer's columns and scores stay in the first-level cache."""


class KernelColumns(NamedTuple):
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
    # what float64 puts a hair above a whole number is that number
    above = scaled - nearest > ROUNDING * abs(scaled)
    return float(nearest + 1.0 if above else nearest)


@compiled
def add_pair(pairs: KernelColumns, at: int, user: int, totals: IntArray) -> None:
    """Add one chosen pair to the totals."""
    column = pairs.order[at]
    sums = totals[pairs.cell[user], at]
    sums[0] += np.int64(np.rint(np.float64(pairs.value[column, user]) * pairs.scale[0]))
    sums[1] += 1
    for m in range(pairs.columns.shape[0]):
        amount = np.float64(pairs.columns[m, column, user]) * pairs.scale[m + 2]
        whole = rounded_up(amount) if m == pairs.cost else np.rint(amount)
        sums[m + 2] += np.int64(whole)


GATHER, REPEAT, CONSTANT, FREE = range(4)
"""How the prices of an offer are read: they differ between cells; are those of the offer before;
are the same in all cells; are zero, so that the column need not be read."""


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


@compiled
def exact_score(pairs: KernelColumns, price: FloatArray, user: int, at: int) -> float:
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
def exact_choice(pairs: KernelColumns, price: FloatArray, user: int) -> int:
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
    # REPEAT leaves what the offer before has filled in
    if kind == GATHER:
        for i in range(cell.shape[0]):
            paid[i] = table[cell[i]]
    elif kind == CONSTANT:
        for i in range(cell.shape[0]):
            paid[i] = table[0]


@compiled
def fast_scores(
    pairs: KernelColumns,
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


class Workspace(NamedTuple):
    """What the users of a block are written to, in the type of the columns but for `chosen`.

    Attributes
    ----------
    paid
        (m + 1, BLOCK), the users' prices, kept from one offer to the next.
    score
        (BLOCK,), the scores of one offer.
    best
        (BLOCK,), the best scores.
    second
        (2, BLOCK), the second best ones. The rows take turns: a loop that stores where it has
        just read compiles to masked stores, which are slow.
    chosen
        (BLOCK,) int32, canonical position of the best offer, −1 for none.
    """

    paid: npt.NDArray[Any]
    score: npt.NDArray[Any]
    best: npt.NDArray[Any]
    second: npt.NDArray[Any]
    chosen: npt.NDArray[np.int32]


@compiled
def workspace(prices: PriceTable) -> Workspace:
    """Return room for a block of users."""
    kind = prices.fast.dtype
    return Workspace(
        np.empty((prices.fast.shape[0], BLOCK), dtype=kind),
        np.empty(BLOCK, dtype=kind),
        np.empty(BLOCK, dtype=kind),
        np.empty((2, BLOCK), dtype=kind),
        np.empty(BLOCK, dtype=np.int32),
    )


@compiled
def choose_block(
    pairs: KernelColumns, prices: PriceTable, first: int, size: int, work: Workspace
) -> npt.NDArray[Any]:
    """Write the choices of `size` users from `first` and their best scores; return the second."""
    best, chosen = work.best, work.chosen
    lowest = -np.inf if pairs.forced else 0.0
    for i in range(size):
        best[i] = lowest
        work.second[0, i] = -np.inf
        chosen[i] = -1
    for at in range(pairs.order.shape[0]):
        score = work.score
        fast_scores(pairs, prices, at, first, size, work.paid, score)
        offer = np.int32(at)
        before, after = work.second[at % 2], work.second[1 - at % 2]
        for i in range(size):
            s, b, before_it, own = score[i], best[i], before[i], chosen[i]
            lower = b if s >= b else s  # noqa: FURB136 - NaN, if not eligible, falls out below
            after[i] = lower if lower > before_it else before_it  # noqa: FURB136 - the same
            chosen[i] = offer if s > b else own
            best[i] = s if s > b else b  # noqa: FURB136 - the same
    last: npt.NDArray[Any] = work.second[pairs.order.shape[0] % 2]
    for i in range(size):
        # `not` above, rather than at most: NaN, too, is left to float64
        if not best[i] - last[i] > prices.margin:
            chosen[i] = exact_choice(pairs, prices.exact, first + i)
    return last
