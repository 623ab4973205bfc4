import numpy as np
import pytest

from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import FloatArray

from .wild import draw_wild


def tied(value: FloatArray, cost: FloatArray, *, budget: float, stock: float | None) -> Problem:
    first = np.array([True] + [False] * (len(value) - 1))
    limits = [sum_limit("budget", "cost", at_most=budget)]
    if stock is not None:
        limits.append(sum_limit("stock", "issued", offers=first, at_most=stock))
    return Problem(
        offers=tuple(f"o{j}" for j in range(len(value))),
        value=value,
        measures=("cost",),
        columns=cost[None],
        limits=tuple(limits),
    )


@pytest.mark.parametrize("stock", [None, 3_000.0])
@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_users_who_are_all_alike_fill_the_budget(share: float, stock: float | None) -> None:
    n = 16_000
    value = np.array([[0.005], [0.003]]) * np.ones(n)
    problem = tied(value, np.full((2, n), 0.1), budget=share * 0.1 * n, stock=stock)
    plan = solve(problem)
    first = min(share * n, stock or n)
    best = 0.005 * first + 0.003 * (share * n - first)
    assert plan.certificate.value == pytest.approx(best, rel=1e-6)
    assert 0 <= plan.certificate.gap <= 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_rounded_values_and_costs_leave_a_small_gap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, k = 30_000, 4
    value = np.round(rng.exponential(1.0, (k, n)) * 4) / 4
    cost = np.maximum(np.round(rng.uniform(0.05, 1.0, (k, n)) * 20) / 20, 0.05)
    plan = solve(tied(value, cost, budget=0.1 * n, stock=4_000.0))
    assert plan.certificate.feasible
    assert 0 <= plan.certificate.gap <= 1e-4


def test_where_everybody_ties_at_the_prices_the_plan_still_reaches_the_bound() -> None:
    certificate = solve(draw_wild(51)).certificate  # all worth a multiple of 100, reach limited
    assert certificate.treated > 600
    assert certificate.gap <= 1e-9


def test_a_full_limit_without_a_price_of_its_own_keeps_nobody_else_from_an_offer() -> None:
    certificate = solve(draw_wild(5_072, most=60_000)).certificate  # a cell's cap fills first
    assert certificate.gap <= 1e-4


def test_a_full_stock_sends_tied_users_to_another_offer() -> None:
    certificate = solve(draw_wild(5_038, most=60_000)).certificate  # one offer's stock fills first
    assert certificate.gap <= 1e-6


def test_where_most_users_tie_the_plan_takes_the_linear_program_as_it_is() -> None:
    certificate = solve(draw_wild(700_542, most=30_000)).certificate  # 20,630 of 24,000 tie
    assert certificate.gap <= 1e-9
