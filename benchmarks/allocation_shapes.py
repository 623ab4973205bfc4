"""Problems of every shape: seconds, certified gap, and the largest violation of a limit.

    python benchmarks/allocation_shapes.py [WORDS ...]

With words only the shapes whose names contain one of them are solved. Each is solved in a process
of its own, which is stopped after two minutes. The violation is counted here, in float64, from the
plan alone, relative to the bound; a shape without a plan shows what was refused.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing import get_context

import numpy as np

from incentive_engine.allocation.limits import LinearLimit, ratio_limits, sum_limit
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.errors import InfeasibleError

SECONDS = 120.0
TIERS = 15
SHARES = (0.01, 0.05, 0.2, 0.5, 1.0)


def market(users: int, *, offers: int, cells: int, seed: int = 5) -> Problem:
    """Return users, some of whom an offer puts off, without limits."""
    rng = np.random.default_rng(seed)
    base = rng.gamma(2.0, 0.02, users)
    face = np.linspace(5.0, 50.0, offers)
    value = np.empty((offers, users), np.float32)
    cost = np.empty((offers, users), np.float32)
    for j in range(offers):
        value[j] = base * (1 - np.exp(-face[j] / 20)) * rng.lognormal(0, 0.5, users) - 0.002
        cost[j] = face[j] * (0.03 + base) * rng.lognormal(0, 0.2, users)
    return Problem(
        offers=tuple(f"o{j:02}" for j in range(offers)),
        value=value,
        measures=("cost",),
        columns=cost[None],
        face=face,
        cell=rng.integers(0, cells, users).astype(np.uint16),
        n_cells=cells,
    )


def wide(problem: Problem, *, seed: int = 6) -> Problem:
    """Return the problem with costs from 0.01 to 10,000, and values that go with them loosely."""
    rng = np.random.default_rng(seed)
    size = problem.value.shape
    cost = 10.0 ** rng.uniform(-2.0, 4.0, size)
    value = cost**0.8 * rng.lognormal(0.0, 1.0, size)
    return replace(problem, value=value.astype(np.float32), columns=cost.astype(np.float32)[None])


def rounded(problem: Problem) -> Problem:
    """Return the problem with values rounded to 0.25 and costs to 0.05: masses of ties."""
    value = np.round(problem.value * 160) / 4
    cost = np.maximum(np.round(problem.columns * 20) / 20, 0.05)
    return replace(problem, value=value.astype(np.float32), columns=cost.astype(np.float32))


def spend_of(problem: Problem) -> float:
    """Return what everybody's best offer costs in all."""
    best = problem.value.argmax(axis=0)[None]
    wanted = np.take_along_axis(problem.value, best, axis=0)[0] > 0
    cost = np.take_along_axis(problem.columns[0], best, axis=0)[0].astype(np.float64) * wanted

    return float(cost.sum())


def limited(problem: Problem, *, share: float = 0.2, floor: float = 0.9) -> Problem:
    """Return the problem under a budget, a stock per offer, a cap and a few floors by region.

    Parameters
    ----------
    share
        The budget, as a share of what everybody's best offer costs.
    floor
        The floors, as a share of an even part of the budget.
    """
    k, users, cells = len(problem.offers), problem.n_users, np.arange(problem.n_cells)
    budget = round(share * spend_of(problem), 2)
    regions = min(problem.n_cells, 20)
    limits = [sum_limit("budget", "cost", at_most=budget)]
    limits += [
        sum_limit(f"stock {j}", "issued", at_most=int(2 * users / k), offers=np.arange(k) == j)
        for j in range(k)
    ]
    for r in range(regions):
        own, least = cells % regions == r, round(floor * budget / regions, 2)
        cap = round(1.04 * budget / regions, 2)
        limits.append(
            sum_limit(
                f"region {r:02}",
                "cost",
                at_most=cap,
                at_least=least if r % 7 == 3 else None,
                cells=own,
            )
        )
    return replace(problem, limits=tuple(limits))


def crowded(problem: Problem, *, share: float = 0.2) -> Problem:
    """Return the limited problem with tiers' caps and floors, spend per offer and a ratio."""
    some = limited(problem, share=share)
    budget, k, cells = some.limits[0].at_most or 0.0, len(some.offers), np.arange(some.n_cells)
    limits = list(some.limits)
    for t in range(TIERS):
        own = cells // 20 % TIERS == t
        cap, least = round(1.1 * budget / TIERS, 2), round(0.85 * budget / TIERS, 2)
        limits.append(sum_limit(f"tier {t:02}", "cost", at_most=cap, cells=own))
        limits.append(sum_limit(f"tier floor {t:02}", "cost", at_least=least, cells=own))
    for j in range(k // 2 + 1):
        cap = round(3.0 * budget / k, 2)
        limits.append(sum_limit(f"money {j:02}", "cost", at_most=cap, offers=np.arange(k) == j))
    limits += ratio_limits("burn", ("cost", "issued"), at_least=0.5)
    return replace(some, limits=tuple(limits))


def with_limits(problem: Problem, *limits: LinearLimit) -> Problem:
    return replace(problem, limits=(*problem.limits, *limits))


def floors_that_just_hold(users: int) -> Problem:
    """Return floors of ten regions that need all of the budget, at the least cost per user."""
    plain = market(users, offers=10, cells=10)
    cheapest = plain.columns[0].min(axis=0).astype(np.float64)
    limits = []
    total = 0.0
    for r in range(10):
        own = np.sort(cheapest[plain.cell == r])
        count = len(own) // 5
        total += float(np.ceil(own[:count] * 1e6).sum() / 1e6)
        limits.append(sum_limit(f"floor {r}", "issued", at_least=count, cells=np.arange(10) == r))
    budget = sum_limit("budget", "cost", at_most=round(total * (1 + 1e-4), 2))
    return replace(plain, limits=(budget, *limits))


def negative(users: int) -> Problem:
    """Return users whom every offer puts off, and regions that must be spent on."""
    plain = limited(market(users, offers=10, cells=20), share=0.2)
    return replace(plain, value=-np.abs(plain.value) - np.float32(0.001))


def partly_free(users: int) -> Problem:
    """Return a fifth of the pairs free, among them whole offers, under a budget and stocks."""
    plain = market(users, offers=10, cells=20)
    rng = np.random.default_rng(8)
    free = rng.random(plain.value.shape) < 0.2
    free[0] = True
    return limited(replace(plain, columns=np.where(free, np.float32(0), plain.columns)))


def self_financing(users: int) -> Problem:
    """Return offers whose spend is more than their cost for some, under a return on spend."""
    plain = market(users, offers=10, cells=20)
    rng = np.random.default_rng(9)
    spend = plain.columns[0] * rng.lognormal(-0.5, 1.0, plain.value.shape).astype(np.float32)
    both = replace(plain, measures=("cost", "spend"), columns=np.stack([*plain.columns, spend]))
    return with_limits(limited(both), *ratio_limits("roi", ("spend", "cost"), at_least=1.5))


def impossible(users: int, *, crowd: bool = False) -> Problem:
    """Return floors by region that need a tenth more than the budget."""
    plain = market(users, offers=10, cells=300 if crowd else 20)
    some = crowded(plain) if crowd else limited(plain)
    budget, cells = some.limits[0].at_most or 0.0, np.arange(some.n_cells)
    floors = [
        sum_limit(f"need {r}", "cost", at_least=round(0.22 * budget, 2), cells=cells % 5 == r)
        for r in range(5)
    ]
    return with_limits(some, *floors)


def _plain(users: int, *, share: float = 0.2, offers: int = 10) -> Problem:
    problem = market(users, offers=offers, cells=20)
    return limited(problem, share=share, floor=0.9 if share <= 1.0 else 0.05)


def _many(users: int) -> Problem:
    return crowded(market(users, offers=30, cells=300))


def _wide(users: int) -> Problem:
    return limited(wide(market(users, offers=10, cells=20)))


def _wide_many(users: int) -> Problem:
    return crowded(wide(market(users, offers=30, cells=300)))


def _ties(users: int) -> Problem:
    return limited(rounded(market(users, offers=10, cells=20)))


def _ties_many(users: int) -> Problem:
    return crowded(rounded(market(users, offers=30, cells=300)))


def _ties_budget(users: int) -> Problem:
    some = _ties(users)
    return replace(some, limits=some.limits[:1])


def _one_user(users: int) -> Problem:
    return limited(market(users, offers=10, cells=1), share=1.0, floor=0.0)


def _everyone(users: int) -> Problem:
    return replace(_plain(users, share=1.0), exactly_one=True)


SHAPES: dict[str, tuple[Callable[[int], Problem], tuple[int, ...]]] = {
    **{f"budget {share:.0%}": (partial(_plain, share=share), (100_000,)) for share in SHARES},
    "extreme budget 1%": (partial(_plain, share=0.01), (1_000_000,)),
    "extreme budget 100%": (partial(_plain, share=1.0), (1_000_000,)),
    "few users": (_plain, (1_000, 6_000)),
    "20 offers": (partial(_plain, offers=20), (6_000,)),
    "30 offers, 300 cells": (_many, (6_000, 20_000, 50_000, 300_000)),
    "wide": (_wide, (20_000, 50_000, 300_000)),
    "wide, 30 offers, 300 cells": (_wide_many, (20_000, 50_000)),
    "ties": (_ties, (50_000, 1_000_000)),
    "ties, budget only": (_ties_budget, (1_000_000,)),
    "ties, 30 offers, 300 cells": (_ties_many, (100_000,)),
    "partly free": (partly_free, (100_000,)),
    "self-financing": (self_financing, (100_000,)),
    "all negative": (negative, (100_000,)),
    "floors that just hold": (floors_that_just_hold, (100_000,)),
    "nothing binds": (partial(_plain, share=5.0), (100_000,)),
    "one offer": (partial(_plain, offers=1), (100_000, 1_000_000)),
    "one user": (_one_user, (1,)),
    "exactly one": (_everyone, (100_000,)),
    "impossible": (impossible, (100_000, 1_000_000)),
    "impossible, 300 cells": (partial(impossible, crowd=True), (100_000,)),
}
"""What makes problems of a number of users, and for how many users it is asked."""


def violation(problem: Problem, plan: Allocation) -> float:
    """Return the largest part of its bound by which a limit is passed."""
    taken = np.flatnonzero(plan.choice >= 0)
    offer, cell = plan.choice[taken], problem.cell[taken]
    amounts = {"issued": np.ones(len(taken)), "cost": plan.cost_micros[taken] / 1e6}
    for m, name in enumerate(problem.measures):
        amounts.setdefault(name, problem.columns[m][offer, taken].astype(np.float64))
    worst = 0.0
    for limit in problem.limits:
        counts = np.ones(len(taken), dtype=bool)
        counts &= True if limit.cells is None else limit.cells[cell]
        counts &= True if limit.offers is None else limit.offers[offer]
        used = sum(c * float(amounts[name][counts].sum()) for name, c in limit.terms)
        size = sum(abs(c) * float(amounts[name][counts].sum()) for name, c in limit.terms)
        over = used - limit.at_most if limit.at_most is not None else 0.0
        under = limit.at_least - used if limit.at_least is not None else 0.0
        worst = max(worst, over / max(size, 1e-9), under / max(size, limit.at_least or 0, 1e-9))
    return worst


def show(name: str, users: int) -> None:
    """Solve a shape; print its line."""
    problem = SHAPES[name][0](users)
    solve(limited(market(20_000, offers=3, cells=20)))  # loads the compiled code
    shape = f"{name:28} {users:>9,} {len(problem.offers):>3} {len(problem.limits):>4}"
    began, clock = time.process_time(), time.perf_counter()
    try:
        plan = solve(problem)
    except InfeasibleError as error:
        names = [str(fault.where) for fault in error.faults]
        found = f"refused: {', '.join(names[:-1])}; {error.faults[-1].what}"
    else:
        certificate = plan.certificate
        prices = certificate.solver.prices
        found = f"{certificate.gap:9.1e} {violation(problem, plan):9.1e}  {prices}"
    used, seconds = time.process_time() - began, time.perf_counter() - clock
    print(f"{shape} {used:7.2f} {seconds:7.2f} {found}", flush=True)


def main(words: list[str]) -> None:
    """Solve each shape in a process of its own."""
    print(f"{'shape':28} {'users':>9} off  lim   CPU s       s       gap violation  prices")
    for name, (_, sizes) in SHAPES.items():
        for users in sizes if not words or any(word in name for word in words) else ():
            child = get_context("spawn").Process(target=show, args=(name, users))
            child.start()
            child.join(SECONDS)
            if child.is_alive():
                child.kill()
                print(f"{name:28} {users:>9,} stopped after {SECONDS:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
