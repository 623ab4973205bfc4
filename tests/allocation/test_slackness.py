"""Optimal prices: what has a price is used up, and what is not used up has none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from incentive_engine.allocation.dual.prices import find_prices
from incentive_engine.allocation.population.from_problem import users_of
from incentive_engine.allocation.population.limit_maps import rows_of
from incentive_engine.allocation.problem import Problem

from .campaign import campaign

SLACK = 1e-9


def rounded(problem: Problem) -> Problem:
    cost = np.maximum(np.round(problem.columns * 20) / 20, 0.05)
    return replace(problem, value=np.round(problem.value * 400) / 4, columns=cost)


def of_wide_scales(problem: Problem) -> Problem:
    rng = np.random.default_rng(4)
    factor = 10.0 ** rng.uniform(-3.0, 3.0, problem.value.shape)
    return replace(problem, value=problem.value * factor, columns=problem.columns * factor)


def budgeted(users: int) -> Problem:
    some = campaign(users, share=1.5, floors=False)
    budget = tuple(limit for limit in some.limits if limit.name == "budget")
    return replace(some, limits=budget, exactly_one=True)


PROBLEMS = {
    "all kinds of limits": lambda: campaign(20_000),
    "float32": lambda: campaign(20_000, dtype=np.float32),
    "many users": lambda: campaign(120_000, seed=2),
    "few users": lambda: campaign(400, k=4, floors=False),
    "little money": lambda: campaign(20_000, share=0.01, floors=False),
    "much money": lambda: campaign(20_000, share=3.0, floors=False),
    "ties": lambda: rounded(campaign(30_000, floors=False)),
    "wide scales": lambda: of_wide_scales(campaign(10_000, floors=False)),
    "everybody": lambda: budgeted(10_000),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_prices_and_slacks_are_complementary_to_a_billionth(name: str) -> None:
    problem = PROBLEMS[name]()
    users = users_of(problem)
    rows = rows_of(problem, users, problem.enforced)
    optimum = find_prices(users, rows)
    assert optimum.step is not None
    prices, usage = optimum.point.prices, optimum.step.usage
    assert not optimum.step.broken.any()
    bound = np.where(prices > 0, rows.upper, np.where(prices < 0, rows.lower, usage))
    worth = np.abs(prices * (bound - usage))
    assert worth.sum() <= SLACK * abs(optimum.point.dual)
    assert optimum.gap <= SLACK
    assert (prices != 0).any()
