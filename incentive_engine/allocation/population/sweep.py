"""One pass over the users at given prices, and the small table that it returns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.explorers import Explorers
from incentive_engine.allocation.population import choice_kernels as choices
from incentive_engine.allocation.population import kernels
from incentive_engine.allocation.population.score_kernels import largest_score, price_table
from incentive_engine.allocation.population.users import HEADROOM, Users, in_parts
from incentive_engine.domain import FloatArray, IntArray, to_micros
from incentive_engine.parallel import go_on

TIED: Final = 1e-9
"""Relative change of the prices within which a user counts as tied."""

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

    def plus(self, other: Table | None) -> Table:
        """Return what these pairs and others, in the same units, add up to."""
        return self if other is None else replace(self, totals=self.totals + other.totals)


def sweep(
    users: Users,
    price: FloatArray,
    *,
    weight: FloatArray | None = None,
    choice: Choice | None = None,
    loss: npt.NDArray[Any] | None = None,
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
    loss
        (n,) of the columns' type, filled with what the next best choice would lose, in the
        value's units, where given.
    """
    totals, _ = _passed(users, price, choice=choice, loss=loss)
    return _table(users, totals, weight)


def dual_sum(users: Users, price: FloatArray) -> float:
    """Return the sum of every user's best score at the prices, exact to float64."""
    # the largest unit at which n scores still fit into an int64
    unit = HEADROOM / max(users.n, 1) / max(largest_score(price, users.largest), 1e-300)
    _, (whole, rest) = _passed(users, price, unit=unit)
    return (whole + rest * 2.0**24 / choices.FRACTION) / unit


def _passed(
    users: Users,
    price: FloatArray,
    *,
    unit: float = 0.0,
    choice: Choice | None = None,
    loss: npt.NDArray[Any] | None = None,
) -> tuple[IntArray, tuple[int, int]]:
    """Return the totals of a pass and, where a unit is given, the two words of the best scores."""
    pairs, prices = users.pairs, price_table(users.pairs, price, users.largest)
    shards = users.shards
    if shards is not None and shards.value is users.value and choice is None and loss is None:
        go_on()
        return shards.swept(pairs, prices, unit, users.shape)
    written = np.empty(0, dtype=np.int16) if choice is None else choice
    lost = np.empty(0, dtype=users.value.dtype) if loss is None else loss
    parts = in_parts(
        lambda start, stop, out: choices.sweep(
            pairs, prices, unit, start, stop, out[0], out[1], written, lost
        ),
        n=users.n,
        make=lambda: (empty_totals(users), np.zeros(2 if unit else 0, dtype=np.int64)),
    )
    words = [sum(int(part[1][i]) for part in parts) for i in range(2 if unit else 0)]
    return sum(part[0] for part in parts), (words[0], words[1]) if words else (0, 0)


def tally(users: Users, choice: Choice) -> Table:
    """Return what given choices (canonical positions) add up to."""
    pairs = users.pairs
    parts = in_parts(
        lambda start, stop, totals: kernels.tally(pairs, choice, start, stop, totals),
        n=users.n,
        make=lambda: empty_totals(users),
    )
    return _table(users, sum(parts), None)


def tally_explorers(users: Users, explorers: Explorers) -> Table:
    """Return what the pairs drawn by lot add up to."""
    user, offer = explorers.pairs
    place = np.argsort(users.order)[offer]
    totals = empty_totals(users)
    amounts = [explorers.value[explorers.choice >= 0], np.ones(len(user))]
    amounts += [explorers.amounts(columns) for columns in users.columns]
    for row, amount in enumerate(amounts):
        is_cost = users.cost >= 0 and row == users.cost + 2
        whole = to_micros(amount) if is_cost else np.rint(amount * users.scale[row])
        np.add.at(totals[:, :, row], (users.cell[user], place), whole.astype(np.int64))
    return _table(users, totals, None)


def cost_micros(users: Users, choice: Choice) -> IntArray:
    """Return (n,) int64: what each choice costs in millionths, rounded up; 0 for none.

    Parameters
    ----------
    choice
        (n,) int16, canonical positions, −1 for none.
    """
    pairs, cost = users.pairs, np.zeros(users.n, dtype=np.int64)
    if users.cost >= 0:
        in_parts(
            lambda start, stop, _: kernels.chosen_costs(pairs, choice, start, stop, cost),
            n=users.n,
            make=lambda: None,
        )
    return cost


def total_sizes(users: Users, *, weight: FloatArray | None = None) -> FloatArray:
    """Return (m + 2, n_cells, k) float64, absolute amounts added over all eligible pairs."""
    pairs = users.pairs
    parts = in_parts(
        lambda start, stop, totals: kernels.add_sizes(pairs, start, stop, totals),
        n=users.n,
        make=lambda: empty_totals(users),
    )
    return _table(users, sum(parts), weight).amounts


def reaches(users: Users, price: FloatArray, width: FloatArray) -> npt.NDArray[Any]:
    """Return (n,) of the columns' type: how far prices must go to change a user's choice.

    Parameters
    ----------
    price, width
        (m + 1, n_cells, k) float64, the middle of a box of prices and its half widths. Choices
        of users above 1 are the same everywhere in the box.
    """
    reach = np.empty(users.n, dtype=users.value.dtype)
    pairs = users.pairs
    prices = price_table(pairs, price, users.largest)
    widths = price_table(pairs, width, users.largest)._replace(margin=prices.margin)
    in_parts(
        lambda start, stop, _: choices.reaches(pairs, prices, widths, start, stop, reach),
        n=users.n,
        make=lambda: None,
    )
    return reach


def precision(users: Users, price: FloatArray) -> float:
    """Return by how much the losses of a sweep may err, in the value's units.

    Prices within `TIED` of the given ones are covered.
    """
    margin = price_table(users.pairs, price, users.largest).margin
    return margin + 4.0 * TIED * largest_score(price, users.largest)


def empty_totals(users: Users) -> IntArray:
    """Return (n_cells, k, m + 2) zeros, as the kernels add to."""
    sums, cells, offers = users.shape
    return np.zeros((cells, offers, sums), dtype=np.int64)


def _table(users: Users, sums: IntArray, weight: FloatArray | None) -> Table:
    ones = np.ones(users.n_cells)
    totals = np.ascontiguousarray(sums.transpose(2, 0, 1))
    return Table(totals=totals, scale=users.scale, weight=ones if weight is None else weight)
