"""The largest budget whose last money still returns what is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from incentive_engine.allocation.budgets.curve import Curve, CurvePoint
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import COST


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MandateSearch:
    """What the search for a marginal return found.

    Attributes
    ----------
    at_least
        The marginal return asked for.
    cap
        No budget above this was looked at, currency units.
    point
        The largest budget whose marginal return reaches it; None when none does.
    best
        The budget with the highest marginal return, for the message when none reaches it.
    """

    at_least: float
    cap: float
    point: CurvePoint | None
    best: CurvePoint | None


def ample_budget(curve: Curve, problem: Problem) -> float:
    """Return a budget that changes nothing for a problem without one: what its plan costs."""
    plan = curve.plan(problem)
    cost = plan.amounts(curve.users, {}).get(COST, 0.0)
    return float(np.ceil(cost))


def largest_budget(
    curve: Curve, problem_at: Callable[[float], Problem | None], *, cap: float, at_least: float
) -> MandateSearch:
    """Return the largest budget up to a cap whose marginal return is at least a bound.

    Parameters
    ----------
    problem_at
        Budget to problem, None where there is none; limits in percent move with the budget.
    at_least
        Incremental spend per unit of cost of the last money used, see `CurvePoint`.

    Notes
    -----
    Some budgets are looked at, then the interval above the largest that does it is halved.
    Where money is left over, the marginal return is that of the money used.
    """
    # budgets of the first look, as parts of the cap
    amounts = [
        cap * share for share in (0.004, 0.016, 0.032, *(step / 16 for step in range(1, 17)))
    ]
    problems = [problem for amount in amounts if (problem := problem_at(amount)) is not None]
    seen = curve.points(problems, marginal=True)
    points = [point for point in seen if point.marginal_return is not None]
    best = max(points, key=lambda point: point.marginal_return or -np.inf, default=None)
    good = [point for point in points if _reaches(point, at_least)]
    if not good:
        return MandateSearch(at_least=at_least, cap=cap, point=None, best=best)
    # the largest budget, not the first that fails: returns of whole plans need not fall evenly
    point = good[-1]
    low = point.budget
    high = min((amount for amount in amounts if amount > low), default=low)
    # the search ends when the budget is known to this part of the cap
    near = 1e-3
    while high - low > near * cap:
        middle = (low + high) / 2.0
        problem = problem_at(middle)
        tried = None if problem is None else curve.point(curve.plan(problem, point.plan.prices))
        if tried is not None and _reaches(tried, at_least):
            low, point = middle, tried
        else:
            high = middle
    return MandateSearch(at_least=at_least, cap=cap, point=point, best=best)


def _reaches(point: CurvePoint, at_least: float) -> bool:
    return point.marginal_return is not None and point.marginal_return >= at_least
