"""The price of safety: what a plan gives up so that its budget holds more surely."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from incentive_engine.allocation.budgets.curve import Curve
from incentive_engine.allocation.problem import Problem
from incentive_engine.allocation.risk import SafetyPoint
from incentive_engine.domain import BUDGET


def price_of_safety(curve: Curve, problem: Problem) -> tuple[SafetyPoint, ...]:
    """Return the plans of rising confidence that fit into the problem's amount.

    Nothing for a budget of face value, which real redemption cannot exceed, nor without a budget.
    Levels at which the limits cannot hold are left out.
    """
    pool = problem.pool
    if pool is None or pool.basis == "face" or problem.face is None or pool.amount <= 0:
        return ()
    return tuple(_points(curve, problem))


def _points(curve: Curve, problem: Problem) -> Iterator[SafetyPoint]:
    prices = None
    assert problem.pool is not None
    # at 0.5 the expected cost fills the budget
    confidences = (0.5, 0.8, 0.9, 0.95, 0.99)
    for confidence in confidences:
        pool = replace(problem.pool, basis="at-risk", confidence=confidence)
        plan = curve.plan(replace(problem, pool=pool), prices)
        if not plan.feasible:
            return
        prices = plan.prices
        yield SafetyPoint(
            confidence=confidence,
            value=plan.value,
            expected=plan.usage.get(BUDGET, 0.0),
            amounts=curve.point(plan, marginal=False).amounts,
        )
