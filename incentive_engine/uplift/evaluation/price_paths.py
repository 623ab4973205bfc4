"""Plans by one price per unit of cost: a yardstick for models, without an allocation's limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numba
import numpy as np

from incentive_engine.domain import BoolArray, FloatArray, IntArray
from incentive_engine.parallel import side_by_side


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanPath:
    """The plans that one falling price gives, from nobody to everybody who gains.

    Each step gives one row a dearer offer, in the order of effect per further unit of cost. Rows
    that are alike (all, where effects and costs are constant) come in a random order.

    Attributes
    ----------
    rows
        n.
    row, offer
        (m,) int64, whom each step concerns, and what the row has from then on.
    total
        (m,) float64, the plan's cost after each step, currency units, not falling.

    References
    ----------
    Sverdrup, Wu, Athey, Wager: Qini curves for multi-armed treatment rules, arXiv:2306.11979,
    section 3: the path of the convex hulls.
    """

    rows: int
    row: IntArray
    offer: IntArray
    total: FloatArray

    @classmethod
    def of(cls, effect: FloatArray, cost: FloatArray, reach: BoolArray) -> Self:
        """Return the path for (n, k) effects, costs ≥ 0 and offers in reach."""
        order = np.random.default_rng(0).permutation(len(effect))
        row, offer, more, ratio = _steps(effect, cost, reach, order)
        order = np.argsort(-ratio, kind="stable")
        return cls(
            rows=len(effect), row=row[order], offer=offer[order], total=np.cumsum(more[order])
        )

    @property
    def cost(self) -> float:
        """The cost of the plan without a budget, currency units."""
        return float(self.total[-1]) if len(self.total) else 0.0

    def plan(self, budget: float) -> IntArray:
        """Return the offer of each row within a total cost, (n,) int64, -1 for none."""
        taken = int(np.searchsorted(self.total, budget * (1 + 1e-12), side="right"))
        choice = np.full(self.rows, -1)
        choice[self.row[:taken]] = self.offer[:taken]
        return choice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoldedPath:
    """Plans for the rows of a trial, made fold by fold, each fold with its share of the money.

    Out of fold, scores of different folds come from different models. The one that had the luck
    of the other folds' outcomes promises most for the very fold whose own outcomes were poor, so
    plans that choose between rows of different folds are worse than the plan that they stand for.

    Attributes
    ----------
    rows
        n.
    folds
        Positions of each fold's rows, and the path over them.
    """

    rows: int
    folds: tuple[tuple[IntArray, PlanPath], ...]

    @classmethod
    def of(cls, effect: FloatArray, cost: FloatArray, reach: BoolArray, fold: IntArray) -> Self:
        """Return the paths for (n, k) effects, costs ≥ 0, offers in reach, and (n,) folds."""
        groups = [np.flatnonzero(fold == label) for label in range(int(fold.max()) + 1)]

        def path(at: int) -> PlanPath:
            group = groups[at]
            return PlanPath.of(effect[group], cost[group], reach[group])

        paths = side_by_side(path, len(groups))
        return cls(rows=len(fold), folds=tuple(zip(groups, paths, strict=True)))

    @property
    def cost(self) -> float:
        """The cost of the plan without a budget, currency units."""
        return sum(path.cost for _, path in self.folds)

    def plan(self, budget: float) -> IntArray:
        """Return the offer of each row within a total cost, (n,) int64, -1 for none."""
        choice = np.full(self.rows, -1)
        for rows, path in self.folds:
            choice[rows] = path.plan(budget * len(rows) / self.rows)
        return choice


@numba.njit(cache=True, nogil=True)
def _steps(
    effect: FloatArray, cost: FloatArray, reach: BoolArray, order: IntArray
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Return every row's way from no offer to its best, row by row in an order.

    A step takes the offer with the most effect per further unit of cost, and at one price at least
    as high as the next.

    Returns
    -------
    Of each step: row, offer, further cost, and effect per further unit of cost.
    """
    n, k = effect.shape
    row, offer = np.empty(n * k, np.int64), np.empty(n * k, np.int64)
    more, ratio = np.empty(n * k), np.empty(n * k)
    taken = 0
    for each in order:
        got, paid, limit = 0.0, 0.0, np.inf
        for _ in range(k):
            best, steepest = -1, 0.0
            for j in range(k):
                gain, further = effect[each, j] - got, cost[each, j] - paid
                if reach[each, j] and gain > 0 and further >= 0:
                    slope = gain / further if further > 0 else np.inf
                    if slope > steepest:
                        best, steepest = j, slope
            if best < 0:
                break
            limit = min(limit, steepest)
            row[taken], offer[taken] = each, best
            more[taken], ratio[taken] = cost[each, best] - paid, limit
            got, paid = effect[each, best], cost[each, best]
            taken += 1
    return row[:taken], offer[:taken], more[:taken], ratio[:taken]
