"""A curve of budgets in one pass against as many separate solves of the same curve.

    python benchmarks/whatif.py [USERS] [BUDGETS] [SEPARATE]

Both sides use the same users, offers and limits: a budget, 10 stocks and 20 region caps in percent
of it. A separate solve makes the problem's users anew and starts from no known prices; it is done
for SEPARATE of the budgets, evenly spread, and scaled up. The last side makes whole plans, as
`allocate` does. Every line says how good its points are.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np

from incentive_engine.allocation.budgets.curve import Curve, CurvePoint
from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import BudgetPool, Problem

OFFERS, REGIONS = 10, 20
SHARES = (0.02, 0.9)
"""The smallest and the largest budget, as shares of what the plan without one costs."""


def market(users: int, *, seed: int = 1) -> Problem:
    """Return users without a budget, with a stock per offer."""
    rng = np.random.default_rng(seed)
    base = rng.gamma(2.0, 0.02, users)
    value = np.empty((OFFERS, users), np.float32)
    columns = np.empty((1, OFFERS, users), np.float32)
    face = np.arange(5, 5 * OFFERS + 1, 5, dtype=np.float64)
    for j in range(OFFERS):
        value[j] = base * (1 - np.exp(-face[j] / 20)) * rng.lognormal(0, 0.5, users) - 0.002
        columns[0, j] = face[j] * (0.03 + base) * rng.lognormal(0, 0.2, users)
    stocks = [
        sum_limit(f"stock {j}", "issued", at_most=int(0.2 * users), offers=np.arange(OFFERS) == j)
        for j in range(OFFERS)
    ]
    return Problem(
        offers=tuple(f"o{j}" for j in range(OFFERS)),
        value=value,
        measures=("cost",),
        columns=columns,
        face=face,
        cell=rng.integers(0, REGIONS, users).astype(np.uint16),
        n_cells=REGIONS,
        limits=tuple(stocks),
    )


def with_budget(problem: Problem, amount: float) -> Problem:
    """Return the problem under a budget, with the regions' caps in percent of it."""
    budget = sum_limit("budget", "cost", at_most=amount)
    caps = [
        sum_limit(f"region[{r:02}]", "cost", at_most=0.052 * amount, cells=np.arange(REGIONS) == r)
        for r in range(REGIONS)
    ]
    return replace(
        problem, limits=(*problem.limits, *caps, budget), pool=BudgetPool(amount=amount)
    )


def line(name: str, seconds: float, points: int, first: float, worst: float) -> None:
    print(f"{name:<34} {seconds:9.2f} s {seconds / points:8.3f} s each {first / seconds:8.3f} ×"
          f"   worst gap {worst:.1e}")  # fmt: skip


def worst(points: tuple[CurvePoint, ...]) -> float:
    return max(point.gap for point in points)


def main(users: int, budgets: int, separate: int) -> None:
    problem = market(users)
    whole = Curve(problem)
    free = whole.plan(problem).amounts(whole.users, {})["cost"]
    problems = [
        with_budget(problem, round(free * share, 2)) for share in np.linspace(*SHARES, budgets)
    ]
    spend = {"spend": problem.value}
    warm_up = Curve(problems[0], spend)
    warm_up.points(problems[:1], marginal=True)
    print(
        f"{users:,} users × {OFFERS} offers, {budgets} budgets, {len(problems[0].limits)} limits"
    )
    started = time.perf_counter()
    curve = Curve(problems[0], spend).points(problems)
    one_pass = time.perf_counter() - started
    line("one pass", one_pass, budgets, one_pass, worst(curve))
    started = time.perf_counter()
    both = Curve(problems[0], spend).points(problems, marginal=True)
    seconds = time.perf_counter() - started
    line("one pass, with marginal returns", seconds, budgets, one_pass, worst(both))
    some = problems[:: max(1, budgets // separate)]
    started = time.perf_counter()
    alone = tuple(Curve(each, spend).points([each])[0] for each in some)
    seconds = (time.perf_counter() - started) * budgets / len(some)
    line(f"separate, {len(some)} done", seconds, budgets, one_pass, worst(alone))
    started = time.perf_counter()
    plans = [solve(each).certificate.gap for each in some]
    seconds = (time.perf_counter() - started) * budgets / len(some)
    line(f"separate whole plans, {len(some)} done", seconds, budgets, one_pass, max(plans))
    found = {point.budget: point for point in curve}
    apart = max(abs(found[p.budget].bound - p.bound) / abs(p.bound) for p in alone)
    print(f"largest difference of the bounds: {apart:.1e}")


if __name__ == "__main__":
    given = [int(float(word)) for word in sys.argv[1:]]
    main(*(given + [1_000_000, 50, 5][len(given) :]))
