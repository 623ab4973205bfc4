"""What other budgets would bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from incentive_engine.allocation.infeasible import size_of_bounds
from incentive_engine.allocation.prices import Optimum, find_prices
from incentive_engine.allocation.problem import BUDGET, Problem
from incentive_engine.allocation.rows import Rows, rows_of
from incentive_engine.allocation.users import users_of
from incentive_engine.domain import FloatArray
from incentive_engine.errors import ConfigError, Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One budget.

    Attributes
    ----------
    budget
        Currency units.
    value
        The most value that it can buy, to the last split user; a bound on any plan's value.
    spend
        What the best plan uses of the budget, in its basis.
    treated
        How many users get an offer.
    price
        The value of one more currency unit of budget.
    feasible
        Whether the other limits can hold with this budget.
    """

    budget: float
    value: float
    spend: float
    treated: float
    price: float
    feasible: bool


def response_curve(problem: Problem, amounts: Sequence[float]) -> tuple[CurvePoint, ...]:
    """Return what each budget would bring, in the order of `amounts`.

    Each budget starts from the prices of the next larger one.

    Raises
    ------
    ConfigError
        When the problem has no budget, or an amount is negative or not finite.
    """
    users = users_of(problem)
    rows = rows_of(problem, users, problem.enforced)
    if BUDGET not in rows.names:
        raise ConfigError(Fault("budget", "there is none to vary", "", "give --budget"))
    if not all(np.isfinite(amount) and amount >= 0 for amount in amounts):
        raise ConfigError(Fault("budgets", "an amount is negative or not finite", "at least 0"))
    at = rows.names.index(BUDGET)
    found: dict[float, CurvePoint] = {}
    start: FloatArray | None = None
    for amount in sorted(set(amounts), reverse=True):
        upper = rows.upper.copy()
        upper[at] = amount
        these = rows.with_bounds(np.minimum(rows.lower, upper), upper)
        optimum = find_prices(users, these, start=start)
        start = optimum.point.prices
        found[amount] = _point(these, optimum, at=at, amount=amount)
    return tuple(found[amount] for amount in amounts)


def _point(rows: Rows, optimum: Optimum, *, at: int, amount: float) -> CurvePoint:
    assert optimum.step is not None
    step, table = optimum.step, optimum.point.table
    swapped = step.core.weight * step.shares
    used = rows.usage(table)[at] - rows.usage(step.core.table)[at]
    spend = used + float((step.core.usage @ swapped)[at])
    treated = table.treated - step.core.table.treated + float(swapped.sum())
    size = size_of_bounds(rows)
    return CurvePoint(
        budget=amount,
        value=optimum.point.dual,
        spend=spend,
        treated=treated,
        price=float(optimum.point.prices[at]),
        feasible=bool(np.all(np.abs(step.broken) <= 1e-6 * size)),
    )
