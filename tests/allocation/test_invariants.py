"""What holds for every problem, whatever its numbers and limits are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incentive_engine.allocation.limits import LinearLimit, sum_limit
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem

from .shuffling import solved, solved_in_both_orders

CELLS = 2
RELATIVE = 1e-9

SIZES = st.tuples(st.integers(1, 8), st.integers(1, 3))
SEEDS = st.integers(0, 2**32 - 1)


def draw(seed: int, size: tuple[int, int], *, rounded: bool) -> Problem:
    """Return some users and offers under a budget, a cell's cap, a stock and a floor."""
    rng = np.random.default_rng(seed)
    n, k = size
    value, cost = rng.normal(0.5, 1.0, (k, n)), rng.gamma(2.0, 2.0, (k, n))
    if rounded:
        value, cost = np.round(value * 4) / 4, np.round(cost * 20) / 20
    value[rng.random((k, n)) < 0.1] = -np.inf
    money = round(float(cost.mean()) * n * float(rng.uniform(0.1, 0.9)), 2)
    limits = (
        sum_limit("budget", "cost", at_most=money),
        sum_limit("cap", "cost", at_most=round(0.6 * money, 2), cells=np.arange(CELLS) == 0),
        sum_limit("stock", "issued", at_most=int(rng.integers(n + 1)), offers=np.arange(k) == 0),
        sum_limit("floor", "issued", at_least=int(rng.integers(2))),
    )
    return Problem(
        offers=tuple(f"o{j}" for j in range(k)),
        value=value,
        measures=("cost",),
        columns=cost[None],
        cell=rng.integers(0, CELLS, n).astype(np.uint16),
        n_cells=CELLS,
        limits=limits,
    )


def with_limits(problem: Problem, *limits: LinearLimit) -> Problem:
    """Return the problem with some limits replaced."""
    named = {limit.name: limit for limit in (*problem.limits, *limits)}
    return replace(problem, limits=tuple(named.values()))


@settings(max_examples=12)
@given(seed=SEEDS, size=SIZES, rounded=st.booleans())
def test_the_bound_is_never_below_the_value(
    seed: int,
    size: tuple[int, int],
    rounded: bool,  # noqa: FBT001 - drawn by name
) -> None:
    if plan := solved(draw(seed, size, rounded=rounded)):
        assert plan.certificate.bound >= plan.certificate.value
        assert plan.certificate.feasible


@settings(max_examples=10)
@given(seed=SEEDS, size=SIZES, more=st.floats(1.0, 3.0))
def test_more_budget_never_brings_less(seed: int, size: tuple[int, int], more: float) -> None:
    problem = draw(seed, size, rounded=False)
    plan = solved(problem)
    budget = next(x for x in problem.limits if x.name == "budget")
    larger = with_limits(problem, replace(budget, at_most=(budget.at_most or 0.0) * more))
    if plan:
        richer = solve(larger)
        assert richer.certificate.value >= plan.certificate.value - RELATIVE


@settings(max_examples=6)
@given(seed=SEEDS, size=SIZES)
def test_dropping_any_limit_never_lowers_the_value(seed: int, size: tuple[int, int]) -> None:
    problem = draw(seed, size, rounded=True)
    if plan := solved(problem):
        for limit in problem.limits:
            fewer = replace(problem, limits=tuple(x for x in problem.limits if x is not limit))
            assert solve(fewer).certificate.value >= plan.certificate.value - RELATIVE


@settings(max_examples=10)
@given(seed=SEEDS, size=SIZES)
def test_the_order_of_users_and_offers_changes_nothing(seed: int, size: tuple[int, int]) -> None:
    problem = draw(seed, size, rounded=True)
    rng = np.random.default_rng(seed)
    users, offers = rng.permutation(size[0]), rng.permutation(size[1])
    problem = replace(  # all worth the same, so that only names and keys decide
        problem,
        value=np.where(problem.value > -np.inf, 1.0, -np.inf),
        columns=np.ones_like(problem.columns),
        key=rng.integers(0, 2**63, size[0], dtype=np.uint64),
    )
    solved_in_both_orders(problem, users, offers)


@settings(max_examples=5)
@given(seed=SEEDS, power=st.integers(-3, 6))
def test_counting_money_in_another_unit_scales_the_prices(seed: int, power: int) -> None:
    unit = 2.0**power  # a power of two changes no digit of a float
    problem = draw(seed, (60, 2), rounded=True)
    cost = np.ceil(problem.columns * 1e3) / 1e3 * 8  # whole in millionths in every unit
    limits = tuple(x for x in problem.limits if x.name == "budget")
    amount = float(cost.mean()) * 12
    base = replace(problem, columns=cost, limits=(replace(limits[0], at_most=round(amount, 3)),))
    scaled = replace(
        base,
        columns=cost * unit,
        limits=(replace(limits[0], at_most=round(amount, 3) * unit),),
    )
    one, other = solve(base), solve(scaled)
    assert one.prices["budget"] == pytest.approx(unit * other.prices["budget"], rel=1e-6)
    assert one.certificate.bound == pytest.approx(other.certificate.bound, rel=1e-6)
