import numpy as np
import pytest

from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.plans.rule import rehearse
from incentive_engine.allocation.problem import BudgetPool, Problem


def problem_of(value: np.ndarray, cost: np.ndarray, budget: float) -> Problem:
    n = len(value)
    return Problem(
        offers=("mail",),
        value=value[None],
        measures=("cost",),
        columns=cost[None, None],
        face=np.array([0.1]),
        limits=(sum_limit("budget", "cost", at_most=budget),),
        key=np.arange(n, dtype=np.uint64),
        pool=BudgetPool(amount=budget),
    )


def alike(n: int, budget: float) -> Problem:
    return problem_of(np.full(n, 0.02), np.full(n, 0.1), budget)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_a_rule_over_users_who_are_all_alike_treats_the_share_that_the_plan_treats(
    share: float,
) -> None:
    n = 2_000
    plan = solve(alike(n, share * 0.1 * n))
    cost = plan.cost_micros.sum() / 1e6 / n
    choice = rehearse(
        alike(50_000, 1.0),
        plan.prices,
        fold=np.arange(50_000) % 5,
        cost=cost,
        rng=np.random.default_rng(1),
    )
    # five standard deviations: a false alarm in two million runs
    assert abs((choice == 0).mean() - share) <= 5 * np.sqrt(0.25 / 50_000)


def test_every_fold_spends_what_the_plan_spends_whatever_its_level() -> None:
    rng = np.random.default_rng(0)
    n, budget = 5_000, 100.0
    value, cost = rng.uniform(0, 0.02, n), rng.uniform(0.05, 0.15, n)
    plan = solve(problem_of(value, cost, budget))
    fold = np.arange(n) % 5
    level = np.array([0.5, 0.8, 1.0, 1.25, 2.0])[fold]
    choice = rehearse(
        problem_of(value * level, cost, budget),
        plan.prices,
        fold=fold,
        cost=budget / n,
        rng=rng,
    )
    for each in range(5):
        paid = cost[(choice == 0) & (fold == each)].sum() / (n / 5)
        assert paid == pytest.approx(budget / n, rel=0.01)


def test_without_prices_each_fold_treats_all_that_it_expects_to_gain_from() -> None:
    value = np.array([0.01, -0.01, 0.02, -0.02])
    choice = rehearse(
        problem_of(value, np.ones(4), 100.0),
        {"budget": 0.0},
        fold=np.array([0, 0, 1, 1]),
        cost=0.9,
        rng=np.random.default_rng(0),
    )
    assert choice.tolist() == [0, -1, 0, -1]


def test_floors_that_make_dear_prices_spend_more_leave_prices_as_they_are() -> None:
    """At a price of -0.02 per unit of cost the first row gains 0.01, the second loses 0.03."""
    problem = problem_of(np.array([-0.01, -0.05]), np.ones(2), 100.0)
    choice = rehearse(
        problem, {"budget": -0.02}, fold=np.zeros(2, int), cost=0.1, rng=np.random.default_rng(0)
    )
    assert choice.tolist() == [0, -1]
