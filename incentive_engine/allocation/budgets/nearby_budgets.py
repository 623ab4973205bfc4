"""Budgets that are near others: in which order they are solved, and from which prices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from incentive_engine.allocation.params import CurveParams
from incentive_engine.allocation.plans.allocation import Relaxed
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import BUDGET


def amount_of(problem: Problem) -> float:
    """Return the budget of a problem that has one."""
    assert problem.pool is not None
    return problem.pool.amount


def levels(n: int) -> Iterator[list[int]]:
    """Yield the positions 0 to n − 1 so that each has solved neighbours, the largest first.

    >>> list(levels(6))
    [[5], [0], [2], [1, 3], [4]]
    """
    if n:
        yield [n - 1]
    gaps = [(0, n - 1)]
    if n > 1:
        yield [0]
    while gaps := [(low, high) for low, high in gaps if high - low > 1]:
        middles = [(low + high) // 2 for low, high in gaps]
        yield middles
        gaps = [
            gap
            for (low, high), middle in zip(gaps, middles, strict=True)
            for gap in ((low, middle), (middle, high))
        ]


def start_between(
    plans: Mapping[int, Relaxed],
    problems: Sequence[Problem],
    ordered: Sequence[int],
    at: int,
    params: CurveParams,
) -> tuple[Mapping[str, float], float] | None:
    """Return prices between those of the nearest solved neighbours that have a plan.

    With them, how far they may be off. None where the neighbours are so far that small samples
    find the prices sooner.
    """
    solved = [i for i, j in enumerate(ordered) if j in plans and plans[j].feasible]
    below = max((i for i in solved if i < at), default=None)
    above = min((i for i in solved if i > at), default=None)
    if below is None or above is None:
        return None
    low, high = plans[ordered[below]], plans[ordered[above]]
    ends, here = (
        (amount_of(low.problem), amount_of(high.problem)),
        amount_of(problems[ordered[at]]),
    )
    if ends[1] > params.related * ends[0]:
        return None
    share = (here - ends[0]) / (ends[1] - ends[0]) if ends[1] > ends[0] else 0.5
    prices = {name: _between(low.prices[name], high.prices[name], share) for name in low.prices}
    apart = ends[1] / ends[0] - 1.0 if ends[0] > 0 else 0.0
    # how far prices may be off those between two budgets' prices, as a part of how far apart these
    # budgets are
    return prices, min(max(0.4 * apart, params.close_radius), params.radius)


def prices_nearby(
    plans: Mapping[int, Relaxed], problems: Sequence[Problem], index: int
) -> Mapping[str, float] | None:
    """Return the prices of the solved plan whose budget is nearest by its size, None without."""
    amount = amount_of(problems[index])
    solved = [(amount_of(plan.problem), plan) for plan in plans.values() if plan.feasible]
    if not solved or amount <= 0:
        return None
    # by ratio: prices fall with the logarithm of the budget rather than with it
    nearest = min(solved, key=lambda item: abs(math.log(max(item[0], 1e-300) / amount)))
    return nearest[1].prices


def slightly_less(
    plan: Relaxed, below: Relaxed | None, params: CurveParams
) -> Mapping[str, float]:
    """Return prices for a little less money than a plan uses; `below` as for `Curve.point`."""
    if below is None or not below.feasible:
        return plan.prices
    most, least = plan.usage[BUDGET], below.usage[BUDGET]
    here = (1.0 - params.margin) * most
    if not 0.0 < least < here or most > params.related * least:
        return plan.prices
    share = (here - least) / (most - least)
    return {
        name: _between(below.prices[name], price, share) for name, price in plan.prices.items()
    }


def _between(low: float, high: float, share: float) -> float:
    """Return a price between two, as a power where both have the same sign.

    >>> _between(1.0, 4.0, 0.5), _between(0.0, 4.0, 0.25)
    (2.0, 1.0)
    """
    if low * high > 0:
        return float(low * (high / low) ** share)
    return (1.0 - share) * low + share * high
