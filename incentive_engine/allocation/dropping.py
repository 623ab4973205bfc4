"""What each limit costs at most: a bound on what a plan without it could gain."""

from __future__ import annotations

import numpy as np

from incentive_engine.allocation.model import Crowd, evaluate
from incentive_engine.allocation.plan import Plan
from incentive_engine.allocation.problem import Problem
from incentive_engine.allocation.rows import rows_of
from incentive_engine.allocation.users import users_of
from incentive_engine.domain import FloatArray


def gains_without(problem: Problem, plan: Plan) -> dict[str, float]:
    """Return per binding limit the most value that dropping it alone can add.

    Notes
    -----
    The plan's prices with the limit's own set to zero are valid prices of the problem without
    it, so that their dual bounds every plan of that problem. One sweep per limit tells it; the
    true gain, which needs a plan of its own, is often smaller.
    """
    crowd, prices = _at_prices_of(plan, problem)
    found = {}
    for i in np.flatnonzero(prices).tolist():
        without = prices.copy()
        without[i] = 0.0
        found[crowd.rows.names[i]] = evaluate(crowd, without).dual - plan.certificate.value
    return found


def gain_of_all(everyone: Problem, plan: Plan) -> float:
    """Return the most value that can be added by giving offers to the holdout, too.

    The plan's prices bound every plan of the problem in which nobody is held out.

    Parameters
    ----------
    everyone
        The plan's problem without its holdout.
    """
    crowd, prices = _at_prices_of(plan, everyone)
    return evaluate(crowd, prices).dual - plan.certificate.value


def _at_prices_of(plan: Plan, problem: Problem) -> tuple[Crowd, FloatArray]:
    """Return a problem's users under its limits, and a plan's prices in their order."""
    users = users_of(problem)
    rows = rows_of(problem, users, problem.enforced)
    prices = np.array([plan.prices[name] for name in rows.names], dtype=np.float64)
    return Crowd(users=users, rows=rows), prices
