"""What each limit costs at most: a bound on what a plan without it could gain."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from incentive_engine.allocation.dual.lagrangian import LagrangianDual
from incentive_engine.allocation.dual.prices import about_lowest, frame_of
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.population.explorer_usage import open_rows
from incentive_engine.allocation.population.from_problem import users_of
from incentive_engine.allocation.population.passes import threads
from incentive_engine.allocation.population.samples import UserSample, draw_samples, sizes_of
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import FloatArray


def gains_without(problem: Problem, plan: Allocation) -> dict[str, float]:
    """Return per binding limit the most value that dropping it alone can add.

    Notes
    -----
    Any prices bound every plan of the problem without the limit. Those of a sample of the users,
    found from the plan's, come within about a percent of what the best plan gains, in a
    hundredth of the time that it takes; that one is `Curve.gain_without`'s.
    """
    return gains_at(problem, plan.prices, value=plan.certificate.value)


def gains_at(
    problem: Problem,
    at: Mapping[str, float],
    *,
    value: float,
    samples: tuple[UserSample, ...] = (),
) -> dict[str, float]:
    """Return per priced limit the most value that dropping it alone can add to a plan.

    Parameters
    ----------
    at
        Limit to price: those of the plan.
    value
        Of the plan.
    samples
        What `draw_samples` gives for the users, where it is known.
    """
    dual, prices = _at_prices_of(at, problem)
    samples = samples or draw_samples(dual.users)
    sample = samples[-1] if samples else None
    priced = np.flatnonzero(prices).tolist()
    with ThreadPoolExecutor(threads()) as pool:
        bounds = pool.map(lambda limit: _bound_without(dual, prices, limit, sample), priced)
        return {
            dual.rows.names[limit]: bound + _by_lot(problem) - value
            for limit, bound in zip(priced, bounds, strict=True)
        }


def _bound_without(
    dual: LagrangianDual, prices: FloatArray, limit: int, sample: UserSample | None
) -> float:
    """Return a bound on the value of plans that need not keep a limit.

    Parameters
    ----------
    prices
        (L,) float64, of all limits.
    sample
        Of the users; None where they are few.
    """
    # the prices of the other limits stay a bound; a better one is looked for nearby
    others = [other for other in range(len(prices)) if other != limit]
    rows, left = dual.rows.subset(others), prices[others]
    everyone = replace(dual, rows=rows)
    bound = everyone.at(left).dual
    if not others:
        return bound
    some, sizes = everyone, sizes_of(dual.users) if sample is None else sample.sizes
    if sample is not None:
        some = LagrangianDual(users=sample.users, rows=rows, weight=sample.weight)
    frame, params = frame_of(rows, sizes), dual.params
    lower = about_lowest(
        some,
        left,
        frame=frame,
        radius=params.curve.radius,
        tight=params.sample_price_gap,
    )
    return min(bound, everyone.at(lower).dual)


def gain_of_all(everyone: Problem, plan: Allocation) -> float:
    """Return the most value that can be added by deciding on the holdout or on explorers, too.

    The plan's prices bound every plan of the problem in which nobody is held out, or explores.

    Parameters
    ----------
    everyone
        The plan's problem without its holdout, or without its explorers.
    """
    dual, prices = _at_prices_of(plan.prices, everyone)
    return dual.at(prices).dual + _by_lot(everyone) - plan.certificate.value


def _by_lot(problem: Problem) -> float:
    """Return what explorers add, whom no price decides on."""
    return 0.0 if problem.explorers is None else problem.explorers.worth


def _at_prices_of(at: Mapping[str, float], problem: Problem) -> tuple[LagrangianDual, FloatArray]:
    """Return a problem's users under its limits, and prices in their order."""
    users = users_of(problem)
    rows = open_rows(problem, users)
    prices = np.array([at[name] for name in rows.names], dtype=np.float64)
    return LagrangianDual(users=users, rows=rows), prices
