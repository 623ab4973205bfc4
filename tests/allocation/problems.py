"""Small problems, made from a seed, and the best plan by trying all of them."""

from __future__ import annotations

from contextlib import suppress
from itertools import product

import numpy as np

from incentive_engine.allocation.limits import LinearLimit, ratio_limits, sum_limit
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.population.from_problem import users_of
from incentive_engine.allocation.population.limit_maps import rows_of
from incentive_engine.allocation.population.sweep import tally
from incentive_engine.allocation.problem import BudgetPool, Problem
from incentive_engine.errors import InfeasibleError

CELLS = 3


def draw_problem(seed: int) -> Problem:
    """Return 1 to 6 users, 1 to 3 offers and up to five limits of all kinds."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 7)), int(rng.integers(1, 4))
    rounded = rng.random() < 0.4
    value = rng.normal(1.0, 1.0, (k, n))
    cost = rng.gamma(2.0, 2.0, (k, n)) * (rng.random((k, n)) < 0.9)
    spend = rng.normal(6.0, 6.0, (k, n))
    if rounded:
        value, cost, spend = np.round(value * 4) / 4, np.round(cost, 1), np.round(spend)
    value[rng.random((k, n)) < 0.15] = -np.inf
    face = np.round(rng.gamma(2.0, 4.0, k), 1)
    limits = draw_limits(rng, n=n, k=k, money=float(cost.sum()) / k, face=float(face.sum()))
    exactly_one = bool(rng.random() < 0.25)
    holdout = rng.random(n) < 0.1
    if exactly_one:
        stuck = (value == -np.inf).all(axis=0)
        value[0, stuck] = -1.0
    value[:, holdout] = -np.inf
    amount = next((x.at_most for x in limits if x.name == "budget"), None)
    return Problem(
        offers=tuple(f"o{j}" for j in rng.permutation(k)),
        value=value,
        measures=("cost", "spend"),
        columns=np.stack([cost, spend]),
        face=face,
        cell=rng.integers(0, CELLS, n).astype(np.uint16),
        n_cells=CELLS,
        limits=limits,
        exactly_one=exactly_one,
        holdout=holdout,
        pool=None if amount is None else BudgetPool(amount=amount),
    )


def draw_solved(seed: int) -> tuple[Problem, Allocation]:
    """Return the first problem from `seed` on that has a plan, and the plan."""
    for attempt in range(seed, seed + 100_000, 1_000):
        problem = draw_problem(attempt)
        with suppress(InfeasibleError):
            return problem, solve(problem)
    raise AssertionError("no draw is feasible")


def draw_limits(
    rng: np.random.Generator, *, n: int, k: int, money: float, face: float
) -> tuple[LinearLimit, ...]:
    """Return some of: a budget, a cell's cap, a stock, a floor, a ratio, a face cap."""
    cell = np.arange(CELLS) == rng.integers(CELLS)
    offer = np.arange(k) == rng.integers(k)
    share = rng.uniform(0.0, 0.8)
    low = float(rng.uniform(0.0, 0.3) * money)
    kinds: list[tuple[LinearLimit, ...]] = [
        (sum_limit("budget", "cost", at_most=round(share * money, 1)),),
        (sum_limit("cell cap", "cost", at_most=round(0.3 * money, 2), cells=cell),),
        (sum_limit("stock", "issued", at_most=float(rng.integers(0, n + 1)), offers=offer),),
        (sum_limit("floor", "issued", at_least=float(rng.integers(0, 2)), cells=cell),),
        (sum_limit("cost range", "cost", at_least=low, at_most=low + 0.6 * money),),
        ratio_limits("roi", ("spend", "cost"), at_least=float(rng.choice([0.8, 1.1, 2.0]))),
        ratio_limits("cell roi", ("spend", "cost"), at_most=3.0, cells=cell),
        (sum_limit("faces", "face", at_most=round(0.5 * n * face / k, 1)),),
    ]
    chosen = rng.choice(len(kinds), int(rng.integers(1, 6)), replace=False)
    return tuple(limit for i in chosen for limit in kinds[i])


def best_by_brute_force(problem: Problem) -> float | None:
    """Return the value of the best of all (k+1)^n plans, None when none keeps the limits."""
    users = users_of(problem)
    rows = rows_of(problem, users, problem.enforced)
    best: float | None = None
    free = np.zeros(users.n, dtype=bool) if problem.holdout is None else problem.holdout
    for plan in product(range(-1, users.k), repeat=users.n):
        choice = np.array(plan, dtype=np.int16)
        taken = np.flatnonzero(choice >= 0)
        value = problem.value[users.order[choice[taken]], taken].sum()
        if value == -np.inf or (best is not None and value <= best):
            continue
        if problem.exactly_one and (choice[~free] < 0).any():
            continue
        if not rows.excess(tally(users, choice)).any():
            best = float(value)
    return best
