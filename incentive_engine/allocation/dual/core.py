"""The users whose choice is nearly a tie, as the columns of a small program."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.population.sweep import PairColumns, sweep
from incentive_engine.allocation.population.units import CellTable
from incentive_engine.domain import MICROS, BoolArray, ChoiceArray, FloatArray, IntArray, to_micros


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Core:
    """Some users and their best pairs.

    Attributes
    ----------
    index
        (N,) int64, the users.
    few
        The users' columns.
    user, offer
        (p,) int64, position in `index` and canonical offer position of each pair, sorted.
    value
        (p,) float64, the pairs' values.
    usage
        (L, p) sparse float64, what each pair uses of each limit.
    chosen
        (N,) int16, what the users choose at the prices.
    table
        What these choices add up to.
    weight
        (p,) float64, how many users the pair's user stands for.
    """

    index: IntArray
    few: PairColumns
    user: IntArray
    offer: IntArray
    value: FloatArray
    usage: sp.csr_array
    chosen: ChoiceArray
    table: CellTable
    weight: FloatArray

    def pairs_of(self, choice: ChoiceArray) -> BoolArray:
        """Return (p,) bool: the pairs that a choice of the core's users takes."""
        return np.asarray(choice[self.user] == self.offer, dtype=bool)

    def choice_of(self, taken: npt.NDArray[np.bool_]) -> ChoiceArray:
        """Return (N,) int16: the choice that takes these pairs, −1 for none."""
        choice = np.full(len(self.index), -1, dtype=np.int16)
        choice[self.user[taken]] = self.offer[taken]
        return choice


def build_core(
    few: PairColumns,
    rows: LimitRows,
    index: IntArray,
    *,
    prices: FloatArray,
    weight: FloatArray | None = None,
    # offers per user that a core looks at, the best ones at the prices
    most_pairs: int = 12,
    allowance: float = np.inf,
    width: FloatArray | None = None,
    kept: ChoiceArray | None = None,
) -> Core:
    """Return the core of given users at given prices.

    Parameters
    ----------
    few
        The users, sorted by key.
    index
        (N,) int64, which users they are.
    prices
        (L,) float64, one per limit.
    weight
        (n_cells,) float64, how many users each stands for; None for 1.
    most_pairs
        Offers per user, the best ones at the prices.
    allowance
        Pairs that lose more than this against the user's best are left out.
    width
        (L,) float64, half widths of a box of prices: pairs that are nowhere in it the user's
        best are left out; None for any prices.
    kept
        (N,) int16, a choice whose pairs are taken in any case.
    """
    price = rows.prices_of_pairs(prices, few.shape)
    chosen = np.empty(few.n, dtype=np.int16)
    table = sweep(few, price, weight=weight, choice=chosen)
    keep = _best_pairs(few, price, most_pairs, allowance)
    if width is not None:
        keep &= _within_reach(few, price, rows.widths_of_pairs(width, few.shape))
    if kept is not None:
        taken = np.flatnonzero(kept >= 0)
        keep[kept[taken], taken] = True
    user, offer = (places.astype(np.int64) for places in np.nonzero(keep.T))
    stands_for = np.ones(len(user)) if weight is None else weight[few.cell[user]]
    return Core(
        index=index,
        few=few,
        user=user,
        offer=offer,
        value=few.value[offer, user].astype(np.float64),
        usage=_usage(few, rows, user, offer),
        chosen=chosen,
        table=table,
        weight=stands_for,
    )


def amounts_of(users: PairColumns) -> FloatArray:
    """Return (m + 1, k, n) float64: 1 per pair, then its measures, the cost rounded up."""
    amounts = np.ones((len(users.columns) + 1, users.k, users.n))
    amounts[1:] = np.where(users.value[users.order] > -np.inf, users.columns[:, users.order], 0)
    if users.cost >= 0:
        amounts[users.cost + 1] = to_micros(amounts[users.cost + 1]) / MICROS
    return amounts


def paid_by(few: PairColumns, price: FloatArray) -> FloatArray:
    """Return (k, n) float64: what each pair pays at the prices of pairs."""
    return np.asarray(np.einsum("mkn,mnk->kn", amounts_of(few), price[:, few.cell, :]))


def scores_of(few: PairColumns, price: FloatArray) -> FloatArray:
    """Return (k, n) float64: value less payment, −inf where a pair is not eligible."""
    eligible = few.value > -np.inf
    return np.where(eligible, few.value - paid_by(few, price), -np.inf)


def changes_of(few: PairColumns, width: FloatArray) -> FloatArray:
    """Return (k, n) float64: by how much scores change at most within a box of prices."""
    return np.asarray(np.einsum("mkn,mnk->kn", np.abs(amounts_of(few)), width[:, few.cell, :]))


def _best_pairs(few: PairColumns, price: FloatArray, most: int, allowance: float) -> BoolArray:
    eligible = np.asarray(few.value > -np.inf, dtype=bool)
    if few.k <= most and allowance == np.inf:
        return eligible
    score = scores_of(few, price)
    rank = np.argsort(np.argsort(-score, axis=0, kind="stable"), axis=0, kind="stable")
    best = score.max(axis=0, initial=-np.inf if few.forced else 0.0)
    return np.asarray(eligible & (rank < most) & (score >= best - allowance), dtype=bool)


def _within_reach(few: PairColumns, price: FloatArray, width: FloatArray) -> BoolArray:
    """Return (k, n) bool: pairs that are the user's best somewhere in a box of prices."""
    score, change = scores_of(few, price), changes_of(few, width)
    least = (score - change).max(axis=0, initial=-np.inf if few.forced else 0.0)
    room = 1e-12 * np.abs(score).max(axis=0, initial=0.0, where=np.isfinite(score))
    return np.asarray(score + change >= least - room, dtype=bool)


def usage_of(
    few: PairColumns, rows: LimitRows, user: IntArray, offer: IntArray, *, width: int
) -> sp.csr_array:
    """Return (L, width) sparse: what pairs use of each limit, in their users' columns.

    Parameters
    ----------
    user, offer
        (p,) int64, positions; a user stands there at most once.
    """
    pairs = _usage(few, rows, user, offer).tocsc()
    starts = np.zeros(width + 1, dtype=np.int64)
    starts[user + 1] = np.diff(pairs.indptr)
    data = (pairs.data, pairs.indices, np.cumsum(starts))
    return sp.csr_array(sp.csc_array(data, shape=(pairs.shape[0], width)))


def _usage(few: PairColumns, rows: LimitRows, user: IntArray, offer: IntArray) -> sp.csr_array:
    amounts = amounts_of(few)[:, offer, user]
    size = few.n_cells * few.k
    place = few.cell[user].astype(np.int64) * few.k + offer
    position = np.concatenate([measure * size + place for measure in range(len(amounts))])
    column = np.tile(np.arange(len(user)), len(amounts))
    shape = (len(amounts) * size, len(user))
    pairs = sp.csr_array((amounts.ravel(), (position, column)), shape=shape)
    return sp.csr_array(rows.matrix @ pairs)
