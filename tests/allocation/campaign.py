"""A campaign of any size with every kind of limit, made from a seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.limits import LinearLimit, ratio_limits, sum_limit
from incentive_engine.allocation.problem import BudgetPool, Problem

REGIONS = 20
TIERS = 3


def campaign(
    n: int,
    *,
    k: int = 10,
    seed: int = 0,
    share: float = 0.2,
    floors: bool = True,
    dtype: npt.DTypeLike = np.float64,
) -> Problem:
    """Return n users, k offers, a budget, k stocks, 20 region caps and, with floors, more.

    Parameters
    ----------
    share
        The budget as a share of what the cheapest offer for everyone costs.
    """
    rng = np.random.default_rng(seed)
    base = rng.gamma(2.0, 0.02, n)
    value = np.empty((k, n), dtype)
    columns = np.empty((2, k, n), dtype)
    face = np.arange(5, 5 * k + 1, 5, dtype=np.float64)
    for j in range(k):
        value[j] = base * (1 - np.exp(-face[j] / 20)) * rng.lognormal(0, 0.5, n) - 0.002
        columns[0, j] = face[j] * (0.03 + base) * rng.lognormal(0, 0.2, n)
        columns[1, j] = value[j] * rng.lognormal(4.5, 0.5, n)
    tier = rng.choice(TIERS, n, p=[0.06, 0.34, 0.6])
    cell = tier * REGIONS + rng.integers(0, REGIONS, n)
    budget = round(share * float(columns[0].min(axis=0).sum(dtype=np.float64)), 2)
    limits = [sum_limit("budget", "cost", at_most=budget), *_caps(n, k, budget)]
    if floors:
        limits += _floors(n, budget, value=float(np.median(columns[1] / columns[0])))
    return Problem(
        offers=tuple(f"o{j}" for j in range(k)),
        value=value,
        measures=("cost", "spend"),
        columns=columns,
        face=face,
        cell=cell.astype(np.uint16),
        n_cells=TIERS * REGIONS,
        limits=tuple(limits),
        pool=BudgetPool(amount=budget),
    )


def _caps(n: int, k: int, budget: float) -> list[LinearLimit]:
    region = np.arange(TIERS * REGIONS) % REGIONS
    stocks = [
        sum_limit(f"stock {j}", "issued", at_most=int(0.04 * n), offers=np.arange(k) == j)
        for j in range(k)
    ]
    caps = [
        sum_limit(f"region[{r:02}]", "cost", at_most=0.052 * budget, cells=region == r)
        for r in range(REGIONS)
    ]
    return stocks + caps


def _floors(n: int, budget: float, *, value: float) -> list[LinearLimit]:
    best_tier = np.arange(TIERS * REGIONS) < REGIONS
    return [
        sum_limit("tier floor", "cost", at_least=0.25 * budget, cells=best_tier),
        sum_limit("tier share", "issued", at_least=int(0.03 * n), cells=best_tier),
        *ratio_limits("roi", ("spend", "cost"), at_least=value),
        sum_limit("faces", "face", at_most=5.0 * round(6 * budget / 5)),
    ]


def with_budget(problem: Problem, amount: float) -> Problem:
    """Return the problem with another amount in its pool and its budget limit."""
    limits = tuple(
        replace(limit, at_most=amount) if limit.name == "budget" else limit
        for limit in problem.limits
    )
    pool = None if problem.pool is None else replace(problem.pool, amount=amount)
    return replace(problem, limits=limits, pool=pool)
