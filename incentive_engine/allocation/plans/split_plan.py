"""Plans in which the last users may be split between offers: what curves are made of.

At optimal prices at most as many users are split as there are limits, so that among many users
such a plan is worth what a plan of whole offers is worth, and takes a small part of its time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from incentive_engine.allocation.dual.prices import find_prices
from incentive_engine.allocation.params import CURVE, SolveParams
from incentive_engine.allocation.plans.allocation import Relaxed
from incentive_engine.allocation.population.explorer_usage import open_rows, tally_explorers
from incentive_engine.allocation.population.population import Users
from incentive_engine.allocation.population.samples import UserSample
from incentive_engine.allocation.problem import Problem
from incentive_engine.allocation.risk import RedemptionRisk, risk_of, with_expected
from incentive_engine.domain import (
    BUDGET,
    FloatArray,
)


def solve_relaxed(
    problem: Problem,
    users: Users,
    *,
    start: Mapping[str, float] | None = None,
    radius: float | None = None,
    hint: Mapping[str, float] | None = None,
    samples: tuple[UserSample, ...] | None = None,
    params: SolveParams = CURVE,
) -> Relaxed:
    """Return the best plan with split users.

    Parameters
    ----------
    users
        The problem's, which problems with the same users share.
    start
        Prices to start from, such as those of a similar problem; None starts with small samples.
    radius
        How far, relative to them, the prices may lie from `start`; None as the settings say.
    hint
        Prices of a problem that is somewhat like this one, for the small samples.
    samples
        Of the users, where they are known.
    params
        How near the prices must come to the optimum.
    """
    if problem.pool is None or problem.pool.basis != "at-risk":
        return _solved(
            problem, users, start, radius=radius, hint=hint, samples=samples, params=params
        )
    risk = RedemptionRisk(confidence=problem.pool.confidence, cost_error=problem.pool.cost_error)
    expected = risk.expected(problem.pool.amount, noise=0.0)
    plan = _solved(
        with_expected(problem, expected),
        users,
        start,
        radius=radius,
        samples=samples,
        params=params,
    )
    report = risk_of(problem, plan.whole(users), risk)
    # variance per money is taken to stay what it is while the plan gives way a little
    noise = report.variance / report.expected if report.expected else 0.0
    # one correction is enough for a curve; a plan searches on
    settled = risk.expected(problem.pool.amount, noise=noise)
    # a bound on the expected cost of a budget at risk that moves by less than this stands
    if not plan.feasible or expected - settled <= 1e-4 * expected:
        return plan
    return _solved(
        with_expected(problem, settled), users, plan.prices, samples=samples, params=params
    )


def with_less(plan: Relaxed, share: float) -> Problem | None:
    """Return the plan's problem with a share of the money that it uses, all else as it is.

    None where there is no budget, or nothing of it is used.
    """
    used = plan.usage.get(BUDGET, 0.0)
    if used <= 0:
        return None
    less = with_expected(plan.problem, used * share)
    return replace(less, pool=None if less.pool is None else replace(less.pool, basis="expected"))


def _solved(
    problem: Problem,
    users: Users,
    start: Mapping[str, float] | None,
    *,
    radius: float | None = None,
    hint: Mapping[str, float] | None = None,
    samples: tuple[UserSample, ...] | None,
    params: SolveParams,
) -> Relaxed:
    rows = open_rows(problem, users)
    by_lot = None if problem.explorers is None else tally_explorers(users, problem.explorers)

    def known(prices: Mapping[str, float] | None) -> FloatArray | None:
        if prices is None:
            return None
        return np.array([prices.get(name, 0.0) for name in rows.names], dtype=np.float64)

    optimum = find_prices(
        users,
        rows,
        start=known(start),
        radius=params.curve.radius if radius is None else radius,
        hint=known(hint),
        samples=samples,
        params=params,
    )
    return Relaxed(problem=problem, rows=rows, optimum=optimum, by_lot=by_lot)
