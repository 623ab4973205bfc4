"""A plan as prices and the few who choose otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from incentive_engine.allocation.certificate import Certificate, Spending, report_limit
from incentive_engine.allocation.dual.lagrangian import Optimum
from incentive_engine.allocation.integer.draft import CandidatePlan
from incentive_engine.allocation.population.explorer_usage import tally_explorers
from incentive_engine.allocation.population.limit_maps import LimitRows, rows_of
from incentive_engine.allocation.population.population import Population
from incentive_engine.allocation.population.units import CellTable
from incentive_engine.allocation.problem import BudgetPool, Question
from incentive_engine.allocation.risk import RiskReport
from incentive_engine.allocation.solver_report import SolverReport
from incentive_engine.domain import MICROS, FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solved:
    """A plan as prices and the few who choose otherwise: nothing in it grows with the users.

    Attributes
    ----------
    rows
        The enforced limits, with what explorers leave of them.
    optimum
        Their prices.
    draft
        Everyone's choice but explorers'.
    certificate
        What is proven, explorers counted.
    """

    rows: LimitRows
    optimum: Optimum
    draft: CandidatePlan
    certificate: Certificate

    @property
    def prices(self) -> dict[str, float]:
        """Limit name to value given up per unit."""
        in_order = self.optimum.point.prices.tolist()
        return dict(zip(self.rows.names, in_order, strict=True))

    def with_risk(self, report: RiskReport) -> Solved:
        """Return the plan with how its real redemption is spread."""
        budget = replace(self.certificate.budget, at_risk=report)
        return replace(self, certificate=replace(self.certificate, budget=budget))


def certify(
    question: Question,
    users: Population,
    rows: LimitRows,
    prices: FloatArray,
    table: CellTable,
    *,
    solver: SolverReport,
) -> Certificate:
    """Return the certificate of a plan at prices.

    Parameters
    ----------
    rows
        The enforced limits, with what explorers leave of them.
    prices
        (L,) float64, in the rows' order.
    table
        What the plan adds up to without explorers.
    """
    explorers = question.explorers
    by_lot = None if explorers is None else tally_explorers(users, explorers)
    feasible, table = not rows.excess(table).any(), table.plus(by_lot)
    # by the stated bounds: what explorers leave of a count was rounded down
    stated = rows_of(question, users.units, rows.limits)
    bound = users.best_scores(rows.prices_of_pairs(prices, users.shape))
    bound += stated.value_of_bounds(prices)
    if by_lot is not None:
        bound += by_lot.value - float(prices @ stated.usage(by_lot))
    price_of = dict(zip(rows.names, prices.tolist(), strict=True))
    return Certificate(
        value=table.value,
        bound=_above(bound, table.value),
        feasible=feasible,
        users=users.n,
        treated=int(table.totals[1].sum()),
        budget=_spending(question, users, table),
        limits=tuple(
            report_limit(question, users.units, limit, table, price_of.get(limit.name))
            for limit in question.limits
        ),
        solver=solver,
    )


def _above(bound: float, value: float) -> float:
    """Return the bound, or the value that it lies below by no more than rounding."""
    # the bound is summed apart from the value, and both round
    # relative error of a sum of float64 over all users; more than that is a defect to be seen
    rounding = 1e-12
    return value if 0.0 < value - bound <= rounding * abs(value) else bound


def _spending(question: Question, users: Population, table: CellTable) -> Spending:
    pool = question.pool or BudgetPool(amount=np.nan)
    spent = int(table.totals[users.cost + 2].sum()) / MICROS if users.cost >= 0 else 0.0
    face = None
    if question.face is not None:
        face = float(table.totals[1].sum(axis=0) @ question.face[users.order])
    return Spending(
        amount=None if question.pool is None else pool.amount,
        basis=pool.basis,
        spent=spent,
        spent_face=face,
    )
