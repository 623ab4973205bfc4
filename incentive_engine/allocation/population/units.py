"""What all parts of a population have in common: the order of offers, and the units of sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from incentive_engine.domain import FloatArray, IntArray

HEADROOM: Final = 2.0**61
"""No sum of fixed-point amounts may exceed this, a quarter of what an int64 holds."""


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
