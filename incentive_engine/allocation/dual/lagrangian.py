"""The Lagrangian dual: what every user's best choice at prices proves, and the box of prices."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from incentive_engine.allocation.dual.core import Core
from incentive_engine.allocation.params import PLAN, SolveParams
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.population.population import Population
from incentive_engine.allocation.population.units import CellTable
from incentive_engine.domain import FloatArray, IntArray


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Point:
    """The dual at some prices.

    Attributes
    ----------
    prices
        (L,) float64.
    dual
        The bound that they prove.
    table
        What users choose at them.
    """

    prices: FloatArray
    dual: float
    table: CellTable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoxMinimum:
    """The minimum of the model within a box of prices.

    Attributes
    ----------
    prices
        (L,) float64.
    base
        (L,) float64, the prices around which the model stands: what everyone outside the core
        chooses there.
    model
        The model's value there, a lower bound on the dual within the box.
    inside
        Whether the box did not bind, so that `model` bounds the dual everywhere.
    core
        The users that chose freely.
    shares
        (p,) float64, how much of each of the core's pairs the linear program takes.
    usage
        (L,) float64, what the model's choices use of each limit.
    treated
        How many users these choices give an offer.
    broken
        (L,) float64, by how much they break limits; positive above, negative below.
    """

    prices: FloatArray
    base: FloatArray
    model: float
    inside: bool
    core: Core
    shares: FloatArray
    usage: FloatArray
    treated: float
    broken: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Optimum:
    """Prices and what is known about them.

    Attributes
    ----------
    point
        The best prices found.
    step
        The last model, None when there are no limits.
    gap
        (dual − model) / |dual| of that model, 0 for optimal prices.
    sweeps
        How many passes over all users were made.
    impossible
        The dual is below what the worst plan is worth, so there is no plan.
    """

    point: Point
    step: BoxMinimum | None
    gap: float
    sweeps: int
    impossible: bool = False

    @property
    def treated(self) -> float:
        """How many users get an offer, those whom the model splits by their parts."""
        return self.point.table.treated if self.step is None else self.step.treated


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LagrangianDual:
    """Users who choose at prices, under limits: a convex, piecewise linear function of prices.

    Attributes
    ----------
    users, rows
        Who chooses, and the limits.
    weight
        (n_cells,) float64, how many users each stands for; None for 1.
    settled
        (m + 2, n_cells, k) int64, what users add up to whose choices do not depend on the prices
        that come into question; None when there are none.
    params
        How hard its minimum is looked for.

    References
    ----------
    Geoffrion, "Lagrangean relaxation for integer programming", Math. Prog. Study 2 (1974), §3.
    """

    users: Population
    rows: LimitRows
    weight: FloatArray | None = None
    settled: IntArray | None = None
    params: SolveParams = PLAN

    def at(self, prices: FloatArray) -> Point:
        """Return the dual at given prices, (L,) float64."""
        rows = self.rows
        price = rows.prices_of_pairs(prices, self.users.shape)
        table = self.users.usage(price, weight=self.weight)
        if self.settled is not None:
            table = replace(table, totals=table.totals + self.settled)
        saved = float(prices @ rows.usage(table)) if len(prices) else 0.0
        return Point(
            prices=prices,
            dual=table.value - saved + rows.value_of_bounds(prices),
            table=table,
        )

    def around(self, point: Point, box: Box) -> tuple[FloatArray, FloatArray]:
        """Return the prices of pairs at a point, and how far those of a box may be from them."""
        rows, shape = self.rows, self.users.shape
        width = rows.widths_of_pairs(box.width(point.prices), shape)
        return rows.prices_of_pairs(point.prices, shape), width
