"""The users' pairs as the compiled loops read them, and passes over them at given prices."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.population.kernels import choice_kernels as choices
from incentive_engine.allocation.population.kernels import pair_kernels
from incentive_engine.allocation.population.kernels.score_kernels import KernelColumns
from incentive_engine.allocation.population.passes import in_parts
from incentive_engine.allocation.population.units import (
    CellTable,
    Units,
    empty_totals,
    largest_score,
    price_table,
    table_of,
)
from incentive_engine.domain import ChoiceArray, Columns, FloatArray, IntArray

TIED: Final = 1e-9
"""Relative change of the prices within which a user counts as tied."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairColumns(Units):
    """The pairs in the form that the kernels read.

    Attributes
    ----------
    value, columns, cell, key
        As in `Problem`.
    """

    value: Columns
    columns: Columns
    cell: npt.NDArray[Any]
    key: npt.NDArray[np.uint64]

    @property
    def n(self) -> int:
        """How many users there are."""
        return int(self.value.shape[1])

    @property
    def kind(self) -> np.dtype[Any]:
        """The columns' type."""
        return self.value.dtype

    @property
    def pairs(self) -> KernelColumns:
        """The columns as the kernels read them."""
        return KernelColumns(
            value=self.value,
            columns=self.columns,
            cell=self.cell,
            order=self.order,
            scale=self.scale,
            cost=self.cost,
            forced=self.forced,
        )

    def taken(self, columns: Columns, index: IntArray) -> Columns:
        """Return (k, N) some users' entries of columns, in canonical order."""
        taken = np.empty((self.k, len(index)), dtype=columns.dtype)
        in_parts(
            lambda start, stop, out: pair_kernels.take_columns(
                columns, self.order, index, start, stop, out
            ),
            n=len(index),
            make=lambda: taken,
        )
        return taken


def sweep(
    users: PairColumns,
    price: FloatArray,
    *,
    weight: FloatArray | None = None,
    choice: ChoiceArray | None = None,
    loss: npt.NDArray[Any] | None = None,
) -> CellTable:
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
    totals, _ = passed(users, price, choice=choice, loss=loss)
    return table_of(users, totals, weight)


def dual_sum(users: PairColumns, price: FloatArray) -> float:
    """Return the sum of every user's best score at the prices, exact to float64."""
    unit = unit_of_scores(users, price, users.n)
    return scores_in(unit, passed(users, price, unit=unit)[1])


def unit_of_scores(units: Units, price: FloatArray, n: int) -> float:
    """Return the largest unit at which n scores still fit into an int64."""
    return Units.HEADROOM / max(n, 1) / max(largest_score(price, units.largest), 1e-300)


def scores_in(unit: float, words: tuple[int, int]) -> float:
    """Return the sum of scores that two words in a unit hold."""
    whole, fraction = words
    return (whole + fraction * 2.0**24 / choices.FRACTION) / unit


def passed(
    users: PairColumns,
    price: FloatArray,
    *,
    unit: float = 0.0,
    choice: ChoiceArray | None = None,
    loss: npt.NDArray[Any] | None = None,
) -> tuple[IntArray, tuple[int, int]]:
    """Return the totals of a pass, as kernels add them, and the words of the best scores.

    Parameters
    ----------
    unit
        In which the best scores are added; 0 leaves them out.
    """
    pairs, prices = users.pairs, price_table(users, users.kind, price)
    written = np.empty(0, dtype=np.int16) if choice is None else choice
    lost = np.empty(0, dtype=users.value.dtype) if loss is None else loss
    parts = in_parts(
        lambda start, stop, out: choices.sweep(
            pairs, prices, unit, start, stop, out[0], out[1], written, lost
        ),
        n=users.n,
        make=lambda: (empty_totals(users), np.zeros(2 if unit else 0, dtype=np.int64)),
    )
    words = [sum(int(sums[1][i]) for sums in parts) for i in range(2 if unit else 0)]
    return sum(sums[0] for sums in parts), (words[0], words[1]) if words else (0, 0)


def tally(users: PairColumns, choice: ChoiceArray) -> CellTable:
    """Return what given choices (canonical positions) add up to."""
    pairs = users.pairs
    parts = in_parts(
        lambda start, stop, totals: pair_kernels.tally(pairs, choice, start, stop, totals),
        n=users.n,
        make=lambda: empty_totals(users),
    )
    return table_of(users, sum(parts), None)


def cost_micros(users: PairColumns, choice: ChoiceArray) -> IntArray:
    """Return (n,) int64: what each choice costs in millionths, rounded up; 0 for none.

    Parameters
    ----------
    choice
        (n,) int16, canonical positions, −1 for none.
    """
    pairs, cost = users.pairs, np.zeros(users.n, dtype=np.int64)
    if users.cost >= 0:
        in_parts(
            lambda start, stop, _: pair_kernels.chosen_costs(pairs, choice, start, stop, cost),
            n=users.n,
            make=lambda: None,
        )
    return cost


def total_sizes(users: PairColumns, *, weight: FloatArray | None = None) -> FloatArray:
    """Return (m + 2, n_cells, k) float64, absolute amounts added over all eligible pairs."""
    return table_of(users, size_sums(users), weight).amounts


def size_sums(users: PairColumns) -> IntArray:
    """Return absolute amounts added over all eligible pairs, as kernels add them."""
    pairs = users.pairs
    parts = in_parts(
        lambda start, stop, totals: pair_kernels.add_sizes(pairs, start, stop, totals),
        n=users.n,
        make=lambda: empty_totals(users),
    )
    return np.asarray(sum(parts), dtype=np.int64)


def reaches(users: PairColumns, price: FloatArray, width: FloatArray) -> npt.NDArray[Any]:
    """Return (n,) of the columns' type: how far prices must go to change a user's choice.

    Parameters
    ----------
    price, width
        (m + 1, n_cells, k) float64, the middle of a box of prices and its half widths. Choices
        of users above 1 are the same everywhere in the box.
    """
    reach = np.empty(users.n, dtype=users.value.dtype)
    pairs = users.pairs
    prices = price_table(users, users.kind, price)
    widths = price_table(users, users.kind, width)._replace(margin=prices.margin)
    in_parts(
        lambda start, stop, _: choices.reaches(pairs, prices, widths, start, stop, reach),
        n=users.n,
        make=lambda: None,
    )
    return reach


def precision(units: Units, kind: np.dtype[Any], price: FloatArray) -> float:
    """Return by how much the losses of a sweep may err, in the value's units.

    Prices within `TIED` of the given ones are covered.
    """
    margin = price_table(units, kind, price).margin
    return margin + 4.0 * TIED * largest_score(price, units.largest)


def shared_fields(units: Units) -> dict[str, Any]:
    """Return the fields of units by name, for what has them and more."""
    return {field.name: getattr(units, field.name) for field in fields(Units)}
