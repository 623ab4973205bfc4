"""How users score offers at prices, and which they choose, compiled.

Scores are computed in the type of the columns, eight at a time on common processors, and in
float64, with costs rounded up to millionths, for the users whose two best scores are nearer than
the faster arithmetic can tell apart. Every choice is therefore the one of float64.
"""

# ruff: noqa: PLR0917 - numba takes no keyword-only arguments

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.population.kernels.pair_kernels import (
    BLOCK,
    KernelColumns,
    rounded_up,
)
from incentive_engine.allocation.population.units import Units
from incentive_engine.domain import MICROS, FloatArray
from incentive_engine.jit import compiled

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


def price_table(units: Units, kind: np.dtype[Any], price: FloatArray) -> PriceTable:
    """Return prices in the form that the kernels read.

    Parameters
    ----------
    kind
        The columns' type.
    price
        (m + 1, n_cells, k) float64.

    Notes
    -----
    A score is at most 2m + 3 roundings away from its exact value, each a half unit in the last
    place of the largest amount that can occur; a cost is moreover rounded up by a millionth.
    """
    swapped = np.ascontiguousarray(price.transpose(0, 2, 1))
    with np.errstate(over="ignore"):
        fast = swapped.astype(kind)
    same = np.zeros(swapped.shape[:2], dtype=np.int8)
    # each kind overrules the ones before: prices of zero are constant, too, and take no time at
    # all
    same[(swapped == swapped[:, :, :1]).all(axis=2)] = CONSTANT
    same[:, 1:][(swapped[:, 1:] == swapped[:, :-1]).all(axis=2)] = REPEAT
    same[(swapped == 0).all(axis=2)] = FREE
    margin = (2 * len(price) + 2) * float(np.finfo(kind).eps) * largest_score(price, units.largest)
    if units.cost >= 0:
        margin += 2.0 * float(np.abs(price[units.cost + 1]).max(initial=0.0)) / MICROS
    return PriceTable(fast=fast, kind=same, exact=np.ascontiguousarray(price), margin=margin)


def largest_score(price: FloatArray, largest: FloatArray) -> float:
    """Return what no absolute score exceeds; by `Units.largest`."""
    steepest = np.abs(price).reshape(len(price), -1).max(axis=1, initial=0.0)
    return float(largest[0] + steepest @ largest[1:])


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
