"""The least by which limits must give way, when users may be split between offers.

Only sums matter here, so that users whom the limits treat alike can be taken together: at given
prices one pass over everybody tells, per group of cells, one of the sums that its users can have.
A small linear program mixes such sums so that limits are passed by as little as can be, and its
prices ask for further ones, until no price proves that more is needed.

References
----------
Dantzig and Wolfe, "Decomposition principle for linear programs", Operations Research 8 (1960).
Chinneck, "Feasibility and Infeasibility in Optimization" (2008), ch. 6 (elastic programs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import scipy.sparse as sp

from incentive_engine.allocation.dual.lagrangian import LagrangianDual
from incentive_engine.allocation.dual.linear_program import LinearAnswer, LinearProgram, solve_lp
from incentive_engine.allocation.params import SolveParams
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.population.population import Population
from incentive_engine.allocation.population.units import CellTable
from incentive_engine.domain import BUDGET, ISSUED, FloatArray, IntArray


def units_of_excess(rows: LimitRows) -> FloatArray:
    """Return (L,) what counts as one unit by which each limit is passed: the size of its bounds.

    A larger budget is no way out of floors that are a share of it, because they grow with it. So
    where there are such floors a unit of the budget is so small that they give way first.
    """
    size = rows.sizes_of_bounds()
    follow = [limit.shares[0] is not None and limit.terms[0][0] != ISSUED for limit in rows.limits]
    floors = size[np.array(follow, dtype=np.bool_)]
    if BUDGET in rows.names and len(floors):
        budget = rows.names.index(BUDGET)
        size[budget] = min(size[budget], float(floors.min())) / 2.0
    return size


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """Sums that pass some limits by as little as can be.

    Attributes
    ----------
    excess
        (L,) float64, natural units: above `upper` positive, below `lower` negative, else 0; also
        0 for the limits that were not asked about.
    least
        No mixture passes its limits by less, in parts of their bounds, added up; positive where
        they cannot hold.
    prices
        (L,) float64, the prices that prove it.
    parts
        Of which answers it is made: prices, and (n_cells,) the share of each cell's users.
    """

    excess: FloatArray
    least: float
    prices: FloatArray
    parts: tuple[tuple[FloatArray, FloatArray], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttainableSums:
    """What groups of users can add up to, found so far.

    Questions about some of the limits share what is found, because sums are the same whatever is
    asked.

    Attributes
    ----------
    dual
        Users without values, and all limits.
    size
        (L,) float64, what a limit's excess is counted in.
    group
        (n_cells,) int64, the group of each cell.
    asked
        The prices of each pass.
    sums
        Per sum the pass, the group, and (L,) float64 the uses of limits, in parts of `size`.
    """

    dual: LagrangianDual
    size: FloatArray
    group: IntArray
    asked: list[FloatArray] = field(default_factory=list)
    sums: dict[tuple[int, bytes], tuple[int, FloatArray]] = field(default_factory=dict)

    @classmethod
    def of(cls, users: Population, rows: LimitRows, params: SolveParams) -> Self:
        """Return what is found without prices."""
        cells = users.n_cells
        # more cells than that are taken together; the linear program has a row for each group
        groups = 300
        sums = cls(
            dual=LagrangianDual(users=users.worthless(), rows=rows, params=params),
            size=units_of_excess(rows),
            group=np.arange(cells) * min(groups, cells) // cells,
        )
        sums.ask(np.zeros(len(rows.limits)))
        return sums

    def ask(self, prices: FloatArray) -> float:
        """Add the sums that users have at some prices; return the dual there."""
        point = self.dual.at(prices)
        for group, used in enumerate(self._by_group(point.table)):
            self.sums.setdefault((group, used.tobytes()), (len(self.asked), used))
        self.asked.append(prices)
        return point.dual

    def _by_group(self, table: CellTable) -> FloatArray:
        """Return (groups, L) the uses of limits, in parts of their sizes."""
        rows, users = self.dual.rows, self.dual.users
        matrix = rows.matrix.tocoo()
        row, column = matrix.coords
        group = self.group[column // users.k % users.n_cells]
        used = np.zeros((int(self.group[-1]) + 1, len(self.size)))
        np.add.at(used, (group, row), matrix.data * table.amounts[1:].ravel()[column])
        return used / self.size

    def least_excess(self, keep: Sequence[int], *, close: float | None = None) -> Mixture:
        """Return a mixture that passes some of the limits by little.

        Parameters
        ----------
        keep
            The limits that count.
        close
            The relative gap to the least excess; infinite for whether there is any at all. None
            is that of the settings.
        """
        counted = np.asarray(keep, dtype=np.int64)
        least, proof = -np.inf, np.zeros(len(self.size))
        params = self.dual.params.relaxation
        gap = params.gap if close is None else close
        # passes over the users for one question
        rounds = 400
        for _ in range(rounds):
            answer, sums = self._mixed(counted)
            total = max(-answer.objective, 0.0)
            proven = least > params.negligible and total <= least * (1.0 + gap)
            if total <= params.negligible or proven:
                break
            before, prices = len(self.sums), self._prices(counted, answer)
            dual = -self.ask(prices)
            if dual > least:
                least, proof = dual, prices
            # no new sum: the mixture is the best there is
            if len(self.sums) == before:
                break
        return self._mixture(counted, answer, sums, least=least, prices=proof)

    def _mixed(self, kept: IntArray) -> tuple[LinearAnswer, list[tuple[int, int]]]:
        """Return the best mixture, and the pass and group of each of its parts."""
        groups, limits = int(self.group[-1]) + 1, len(kept)
        group = np.array([place for place, _ in self.sums], dtype=np.int64)
        asked, uses = zip(*self.sums.values(), strict=True)
        ones, at = np.ones(len(group)), np.arange(len(group))
        once = sp.csr_array((ones, (group, at)), shape=(groups, len(group)))
        used = sp.csr_array(np.stack(uses, axis=1)[kept])
        nothing, eye = sp.csr_array((groups, limits)), sp.identity(limits, format="csr")
        matrix = sp.vstack([sp.hstack([once, nothing, nothing]), sp.hstack([used, -eye, eye])])
        rows, size = self.dual.rows, self.size[kept]
        answer = solve_lp(
            LinearProgram(
                objective=np.concatenate([np.zeros(len(group)), -np.ones(2 * limits)]),
                most=np.full(len(group) + 2 * limits, np.inf),
                matrix=sp.csr_array(matrix),
                lower=np.concatenate([np.ones(groups), rows.lower[kept] / size]),
                upper=np.concatenate([np.ones(groups), rows.upper[kept] / size]),
            ),
            self.dual.params.linear,
        )
        return answer, list(zip(asked, group.tolist(), strict=True))

    def _prices(self, kept: IntArray, answer: LinearAnswer) -> FloatArray:
        """Return (L,) the prices of a mixture, of the signs that the bounds allow."""
        rows = self.dual.rows
        prices = np.zeros(len(self.size))
        prices[kept] = np.clip(answer.duals[-len(kept) :], -1.0, 1.0) / self.size[kept]
        positive, negative = np.isfinite(rows.upper), np.isfinite(rows.lower)
        return np.where(prices > 0, positive, negative) * prices

    def _mixture(
        self,
        kept: IntArray,
        answer: LinearAnswer,
        sums: list[tuple[int, int]],
        *,
        least: float,
        prices: FloatArray,
    ) -> Mixture:
        shares = np.zeros((len(self.asked), int(self.group[-1]) + 1))
        over, under = np.split(answer.x[len(sums) :], 2)
        for (asked, group), share in zip(sums, answer.x.tolist(), strict=False):
            shares[asked, group] = share
        excess = np.zeros(len(self.size))
        passed, negligible = over - under, self.dual.params.relaxation.negligible
        excess[kept] = np.where(np.abs(passed) > negligible, passed, 0.0) * self.size[kept]
        return Mixture(
            excess=excess,
            least=least,
            prices=prices,
            parts=tuple(
                (self.asked[asked], shares[asked][self.group])
                for asked in np.flatnonzero(shares.any(axis=1)).tolist()
            ),
        )

    def table(self, mixture: Mixture) -> CellTable:
        """Return what a mixture adds up to, from its passes made again."""
        rows, users = self.dual.rows, self.dual.users
        shares = [share for _, share in mixture.parts]
        tables = users.usages(
            [rows.prices_of_pairs(prices, users.shape) for prices, _ in mixture.parts]
        )
        totals = sum(
            table.totals * share[:, None] for table, share in zip(tables, shares, strict=True)
        )
        return replace(tables[0], totals=np.rint(totals).astype(np.int64))
