"""One pass over the users at given prices, and the small table that it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation import choices, kernels
from incentive_engine.allocation.users import HEADROOM, Users, in_parts
from incentive_engine.domain import FloatArray, IntArray

Choice = npt.NDArray[np.int16]
"""(n,) offer index per user, −1 for none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """What the chosen pairs add up to, per cell and offer.

    Attributes
    ----------
    totals
        (m + 2, n_cells, k) int64, fixed-point sums of value, count and the measures.
    scale
        (m + 2,) float64, the units; `cost` stands in whole millionths.
    weight
        (n_cells,) float64, how many users a user of the cell stands for.
    """

    totals: IntArray
    scale: FloatArray
    weight: FloatArray

    @property
    def amounts(self) -> FloatArray:
        """(m + 2, n_cells, k) float64, the sums in natural units."""
        scaled = self.totals / self.scale[:, None, None]
        return np.asarray(scaled * self.weight[:, None], dtype=np.float64)

    @property
    def value(self) -> float:
        """The sum of the chosen values."""
        return float(self.amounts[0].sum())

    @property
    def treated(self) -> float:
        """How many users have an offer."""
        return float(self.amounts[1].sum())


def sweep(
    users: Users,
    price: FloatArray,
    *,
    weight: FloatArray | None = None,
    choice: Choice | None = None,
) -> Table:
    """Return what the users choose at the prices, added up.

    Parameters
    ----------
    price
        (m + 1, n_cells, k) float64, value given up per issued offer and per unit of a measure.
    weight
        (n_cells,) float64, how many users each stands for; None for 1.
    choice
        (n,) int16, filled with canonical offer positions (−1 none) where given.
    """
    written = np.empty(0, dtype=np.int16) if choice is None else choice
    pairs = users.pairs
    prices = choices.price_table(pairs, price, users.largest)
    parts = in_parts(
        lambda start, stop, totals: choices.sweep(pairs, prices, start, stop, totals, written),
        n=users.n,
        make=lambda: empty_totals(users),
    )
    return _table(users, sum(parts), weight)


def tally(users: Users, choice: Choice) -> Table:
    """Return what given choices (canonical positions) add up to."""
    pairs = users.pairs
    parts = in_parts(
        lambda start, stop, totals: kernels.tally(pairs, choice, start, stop, totals),
        n=users.n,
        make=lambda: empty_totals(users),
    )
    return _table(users, sum(parts), None)


def total_sizes(users: Users, *, weight: FloatArray | None = None) -> FloatArray:
    """Return (m + 2, n_cells, k) float64, absolute amounts added over all eligible pairs."""
    pairs = users.pairs
    parts = in_parts(
        lambda start, stop, totals: kernels.add_sizes(pairs, start, stop, totals),
        n=users.n,
        make=lambda: empty_totals(users),
    )
    return _table(users, sum(parts), weight).amounts


def distances(users: Users, price: FloatArray, *, relative: bool) -> npt.NDArray[Any]:
    """Return (n,) of the columns' type: how far each user's choice is from changing.

    Parameters
    ----------
    relative
        As the relative change of the prices that does it; else as what the change loses, in the
        value's units.
    """
    nearest = np.empty(users.n, dtype=users.value.dtype)
    pairs = users.pairs
    prices = choices.price_table(pairs, price, users.largest)
    in_parts(
        lambda start, stop, _: choices.distances(pairs, prices, relative, start, stop, nearest),
        n=users.n,
        make=lambda: None,
    )
    return nearest


def precision(users: Users, price: FloatArray) -> float:
    """Return by how much `distances` that are not relative may err, in the value's units."""
    return float(choices.price_table(users.pairs, price, users.largest).margin)


def dual_sum(users: Users, price: FloatArray) -> float:
    """Return the sum of every user's best score at the prices, exact to float64."""
    steepest = np.abs(price).reshape(len(price), -1).max(axis=1)
    top = (
        HEADROOM
        / max(users.n, 1)
        / max(float(users.largest[0] + steepest @ users.largest[1:]), 1e-300)
    )
    pairs = users.pairs
    prices = choices.price_table(pairs, price, users.largest)
    parts = in_parts(
        lambda start, stop, words: choices.dual_sum(pairs, prices, top, start, stop, words),
        n=users.n,
        make=lambda: np.zeros(2, dtype=np.int64),
    )
    whole, rest = (sum(int(part[i]) for part in parts) for i in range(2))
    return (whole + rest * 2.0**24 / choices.FRACTION) / top


def empty_totals(users: Users) -> IntArray:
    """Return (n_cells, k, m + 2) zeros, as the kernels add to."""
    sums, cells, offers = users.shape
    return np.zeros((cells, offers, sums), dtype=np.int64)


def _table(users: Users, sums: IntArray, weight: FloatArray | None) -> Table:
    ones = np.ones(users.n_cells)
    totals = np.ascontiguousarray(sums.transpose(2, 0, 1))
    return Table(totals=totals, scale=users.scale, weight=ones if weight is None else weight)
