"""What other budgets would bring."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from incentive_engine.allocation.infeasible import size_of_bounds
from incentive_engine.allocation.integer import round_prices
from incentive_engine.allocation.prices import Optimum, find_prices
from incentive_engine.allocation.problem import BUDGET, Problem
from incentive_engine.allocation.risk import Risk, risk_of, with_expected
from incentive_engine.allocation.rows import Rows, rows_of
from incentive_engine.allocation.users import Users, threads, users_of
from incentive_engine.errors import ConfigError, Fault

TIGHT: Final = 1e-6
"""The relative gap of a point's prices; a curve is looked at, not paid out."""

BROKEN: Final = 1e-6
"""A limit that is broken by more than this share of its bound cannot hold."""


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


def response_curve(problems: Sequence[Problem]) -> tuple[CurvePoint, ...]:
    """Return what the budget of each problem brings, in their order.

    Parameters
    ----------
    problems
        The same users under different budgets; limits in percent move with the budget, so each
        problem has its own.

    Raises
    ------
    ConfigError
        When a problem has no budget, or the problems have different users.
    """
    if any(problem.pool is None for problem in problems):
        raise ConfigError(Fault("budget", "there is none to vary", "", "give --budget"))
    if len({problem.value.shape for problem in problems}) > 1:
        raise ConfigError(Fault("budgets", "the problems have different users", "the same users"))
    users = users_of(problems[0])
    with ThreadPoolExecutor(threads()) as pool:
        return tuple(pool.map(partial(_solved, users), problems))


def _solved(users: Users, problem: Problem) -> CurvePoint:
    assert problem.pool is not None
    rows = rows_of(problem, users, problem.enforced)
    optimum = find_prices(users, rows, tight=TIGHT)
    if problem.pool.basis == "at-risk":
        rows = rows_of(problem, users, _expected(users, problem, rows, optimum).enforced)
        optimum = find_prices(users, rows, tight=TIGHT)
    return _point(rows, optimum, amount=problem.pool.amount)


def _expected(users: Users, problem: Problem, rows: Rows, optimum: Optimum) -> Problem:
    """Return the problem with the expected cost in place of an amount at risk.

    Redemptions' variance per unit of money hardly moves with the budget, so one plan tells it.
    """
    assert problem.pool is not None
    at, _ = round_prices(users, rows, optimum)
    choice = np.where(at >= 0, users.order[at], -1).astype(np.int16)
    risk = Risk(confidence=problem.pool.confidence, cost_error=problem.pool.cost_error)
    report = risk_of(problem, choice, risk)
    noise = report.variance / report.expected if report.expected else 0.0
    return with_expected(problem, risk.expected(problem.pool.amount, noise=noise))


def _point(rows: Rows, optimum: Optimum, *, amount: float) -> CurvePoint:
    assert optimum.step is not None
    at = rows.names.index(BUDGET)
    step = optimum.step
    relative = np.abs(step.broken) / np.maximum(size_of_bounds(rows), 1.0)
    return CurvePoint(
        budget=amount,
        value=optimum.point.dual,
        spend=float(step.usage[at]),
        treated=step.treated,
        price=float(optimum.point.prices[at]),
        feasible=bool(np.all(relative <= BROKEN)),
    )
