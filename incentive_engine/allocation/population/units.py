"""What all parts of a population have in common: order of offers, units of sums, their table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from incentive_engine.allocation.population.kernels.score_kernels import (
    CONSTANT,
    FREE,
    REPEAT,
    PriceTable,
)
from incentive_engine.domain import MICROS, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Units:
    """What all parts of a population have in common: order of offers, units of sums.

    Attributes
    ----------
    order
        (k,) int64, the column of the offer at each canonical position; sorted by offer name, so
        that the order in which a planner lists offers changes nothing.
    scale
        (m + 2,) float64, fixed-point units per unit of value, count and each measure.
    largest
        (m + 2,) float64, the largest absolute value, 1, and the largest amount of each measure.
    cost
        The position of `cost` among the measures, −1 for none.
    forced
        Every user who can gets an offer.
    n_cells
        How many cells there are.
    """

    HEADROOM: ClassVar = 2.0**61
    """No sum of fixed-point amounts may exceed this, a quarter of what an int64 holds."""

    order: IntArray
    scale: FloatArray
    largest: FloatArray
    cost: int
    forced: bool
    n_cells: int

    @property
    def k(self) -> int:
        """How many offers there are."""
        return len(self.order)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of a table of totals: value, count and measures × cells × offers."""
        return (len(self.scale), self.n_cells, self.k)

    @property
    def units(self) -> Units:
        """What all parts have in common, and nothing else."""
        return Units(
            order=self.order,
            scale=self.scale,
            largest=self.largest,
            cost=self.cost,
            forced=self.forced,
            n_cells=self.n_cells,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellTable:
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

    def plus(self, other: CellTable | None) -> CellTable:
        """Return what these pairs and others, in the same units, add up to."""
        return self if other is None else replace(self, totals=self.totals + other.totals)

    def minus(self, other: CellTable) -> CellTable:
        """Return what is left of these pairs without others, in the same units."""
        return replace(self, totals=self.totals - other.totals)


def empty_totals(units: Units) -> IntArray:
    """Return (n_cells, k, m + 2) zeros, as the kernels add to."""
    sums, cells, offers = units.shape
    return np.zeros((cells, offers, sums), dtype=np.int64)


def table_of(units: Units, sums: IntArray, weight: FloatArray | None) -> CellTable:
    """Return the table of sums, (n_cells, k, m + 2) as kernels add them."""
    ones = np.ones(units.n_cells)
    totals = np.ascontiguousarray(sums.transpose(2, 0, 1))
    return CellTable(totals=totals, scale=units.scale, weight=ones if weight is None else weight)


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
