"""Where prices may lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.domain import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Box:
    """A range per price: `least` and `most`, (L,) float64."""

    least: FloatArray
    most: FloatArray

    def clip(self, prices: FloatArray) -> FloatArray:
        """Return the nearest prices of the box."""
        return np.clip(prices, self.least, self.most)

    def width(self, prices: FloatArray) -> FloatArray:
        """Return (L,) the distance of prices of the box from its further edge."""
        return np.maximum(self.most - prices, prices - self.least)

    def equals(self, other: Box) -> bool:
        """Return whether two boxes are the same."""
        same = np.array_equal(self.least, other.least)
        return bool(same and np.array_equal(self.most, other.most))

    def meets(self, prices: FloatArray, outer: Box) -> bool:
        """Return whether prices lie on an edge that an outer box does not have."""
        low = (prices <= self.least) & (self.least > outer.least)
        return bool(np.any(low | ((prices >= self.most) & (self.most < outer.most))))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """How large prices are, and where they may lie.

    Attributes
    ----------
    scale
        (L,) float64, the average value per unit of each limit.
    caps
        (L,) float64, the largest absolute prices.
    bounds
        The prices that come into question.
    total
        The sum of all absolute values.
    rows
        The limits.
    """

    scale: FloatArray
    caps: FloatArray
    bounds: Box
    total: float
    rows: LimitRows

    def around(self, prices: FloatArray, radius: float) -> Box:
        """Return a box around prices.

        Parameters
        ----------
        radius
            Half its width, relative to what a unit of each limit costs by all prices (and to a
            part of the average value per unit): that is how far the prices of a sample are off.
        """
        # boxes are as wide as for prices of this part of the average value per unit of a limit
        least_price = 0.2
        size = np.maximum(self.rows.paid_per_unit(prices), least_price * self.scale)
        width = radius * size
        return Box(least=self.bounds.clip(prices - width), most=self.bounds.clip(prices + width))
