"""A plan of whole offers, and one in which the last users may be split between offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from incentive_engine.allocation.certificate import Certificate, LimitReport, report_limit
from incentive_engine.allocation.dual.lagrangian import Optimum
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.population.population import Users
from incentive_engine.allocation.population.sweep import sweep, tally
from incentive_engine.allocation.population.units import CellTable
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import (
    COST,
    FACE,
    MICROS,
    ChoiceArray,
    Columns,
    FloatArray,
    IntArray,
    to_micros,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relaxed:
    """The best plan with split users, and the proof of how good it is.

    Attributes
    ----------
    problem
        What was solved; for a budget at risk with a bound on the expected cost in its place.
    rows
        Its enforced limits, with what explorers leave of them.
    optimum
        The prices, and the last linear program.
    by_lot
        What explorers add to all that the plan is; None for none.
    """

    problem: Problem
    rows: LimitRows
    optimum: Optimum
    by_lot: CellTable | None = None

    @property
    def bound(self) -> float:
        """No plan is worth more."""
        return self.optimum.point.dual + (0.0 if self.by_lot is None else self.by_lot.value)

    @property
    def value(self) -> float:
        """What the plan is worth, split users by their parts."""
        step = self.optimum.step
        dual = self.optimum.point.dual
        return self.bound if step is None else self.bound - dual + min(step.model, dual)

    @property
    def feasible(self) -> bool:
        """Whether it keeps every limit; if not, no plan does."""
        step = self.optimum.step
        if step is None:
            return True
        # a bound of 0 or of a few units is compared in units, not in parts of itself
        relative = np.abs(step.broken) / np.maximum(self.rows.sizes_of_bounds(), 1.0)
        # a limit that is broken by more than this share of its bound cannot hold
        broken = 1e-6
        return not self.optimum.impossible and bool(np.all(relative <= broken))

    @property
    def treated(self) -> float:
        """How many users get an offer, split users by their parts."""
        return self.optimum.treated + (0.0 if self.by_lot is None else self.by_lot.treated)

    @property
    def prices(self) -> dict[str, float]:
        """Limit name to price."""
        return dict(zip(self.rows.names, self.optimum.point.prices.tolist(), strict=True))

    @property
    def usage(self) -> dict[str, float]:
        """Limit name to what the plan uses of it."""
        step = self.optimum.step
        used = np.empty(0) if step is None else step.usage
        if self.by_lot is not None and step is not None:
            used = used + self.rows.usage(self.by_lot)
        return dict(zip(self.rows.names, used.tolist(), strict=True))

    def pairs(self, users: Users) -> tuple[IntArray, IntArray, FloatArray]:
        """Return the plan's pairs: user, offer of the problem, and the part that is taken.

        Those of explorers are not among them.
        """
        choice = _everyone(users, self)
        step = self.optimum.step
        if step is None:
            taken = np.flatnonzero(choice >= 0)
            return taken, users.order[choice[taken]], np.ones(len(taken))
        core, some = step.core, step.shares > 0
        choice[core.index] = -1
        taken = np.flatnonzero(choice >= 0)
        return (
            np.concatenate([taken, core.index[core.user[some]]]),
            users.order[np.concatenate([choice[taken], core.offer[some]])],
            np.concatenate([np.ones(len(taken)), step.shares[some]]),
        )

    def whole(self, users: Users) -> ChoiceArray:
        """Return (n,) int16, an offer of the problem or −1: split users get their larger part."""
        choice = _everyone(users, self)
        step = self.optimum.step
        if step is not None:
            choice[step.core.index] = step.core.choice_of(step.shares > 0.5)
        whole = np.where(choice >= 0, users.order[choice], -1).astype(np.int16)
        explorers = self.problem.explorers
        return whole if explorers is None else explorers.merged(whole)

    def amounts(self, users: Users, columns: Mapping[str, Columns]) -> dict[str, float]:
        """Return what the plan's pairs add up to, by measure; cost is rounded up per pair.

        Parameters
        ----------
        columns
            Measure to (k, n), NaN where a pair is not eligible.
        """
        user, offer, share = self.pairs(users)
        if (explorers := self.problem.explorers) is not None:
            drawn, given = explorers.pairs
            user, offer = np.concatenate([user, drawn]), np.concatenate([offer, given])
            share = np.concatenate([share, np.ones(len(drawn))])
        sums = {name: float(share @ column[offer, user]) for name, column in columns.items()}
        if COST in self.problem.measures:
            cost = self.problem.columns[self.problem.measures.index(COST)]
            sums[COST] = float(share @ (to_micros(cost[offer, user]) / MICROS))
        if self.problem.face is not None:
            sums[FACE] = float(share @ self.problem.face[offer])
        return sums

    def table(self, users: Users) -> CellTable:
        """Return what the plan's pairs add up to, per cell and offer."""
        choice, step = _everyone(users, self), self.optimum.step
        if step is None:
            return tally(users, choice).plus(self.by_lot)
        core, some = step.core, step.shares > 0
        choice[core.index] = -1
        others = tally(users, choice)
        totals = others.totals.copy()
        user, offer, share = core.index[core.user[some]], core.offer[some], step.shares[some]
        amounts = [users.value[users.order[offer], user], np.ones(len(user))]
        amounts += [column[users.order[offer], user] for column in users.columns]
        if users.cost >= 0:
            amounts[users.cost + 2] = to_micros(amounts[users.cost + 2]) / MICROS
        for row, amount in enumerate(amounts):
            whole = np.rint(share * amount * users.scale[row]).astype(np.int64)
            np.add.at(totals[row], (users.cell[user], offer), whole)
        return replace(others, totals=totals).plus(self.by_lot)

    def limits(self, users: Users) -> tuple[LimitReport, ...]:
        """Return usage, price and slack of every limit, those only measured included."""
        table, prices = self.table(users), self.prices
        return tuple(
            report_limit(self.problem, users, limit, table, prices.get(limit.name))
            for limit in self.problem.limits
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Allocation:
    """One offer or none for each user, and the proof of how good that is.

    Attributes
    ----------
    choice
        (n,) int16, index into the problem's offers, −1 for none.
    cost_micros
        (n,) int64, the chosen pair's cost in millionths, rounded up; 0 for none.
    prices
        Limit name to value given up per unit; signed as in the certificate.
    certificate
        What is proven.
    split
        The best plan with split users, which this one was made from.
    """

    choice: ChoiceArray
    cost_micros: IntArray
    prices: Mapping[str, float]
    certificate: Certificate
    split: Relaxed


def _everyone(users: Users, plan: Relaxed) -> ChoiceArray:
    """Return (n,) int16, canonical positions: what users choose around the last program."""
    step = plan.optimum.step
    prices = plan.optimum.point.prices if step is None else step.base
    choice = np.empty(users.n, dtype=np.int16)
    sweep(users, plan.rows.prices_of_pairs(prices, users.shape), choice=choice)
    return choice
