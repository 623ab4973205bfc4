import numpy as np
import pytest

from incentive_engine.allocation import Pool, Problem, solve, sum_limit
from incentive_engine.workflow.gain import rule_for


def alike(n: int, budget: float) -> Problem:
    return Problem(
        offers=("mail",),
        value=np.full((1, n), 0.02),
        measures=("cost",),
        columns=np.full((1, 1, n), 0.1),
        face=np.array([0.1]),
        limits=(sum_limit("budget", "cost", at_most=budget),),
        key=np.arange(n, dtype=np.uint64),
        pool=Pool(amount=budget),
    )


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_a_rule_over_users_who_are_all_alike_treats_the_share_that_the_plan_treats(
    share: float,
) -> None:
    n = 2_000
    problem = alike(n, share * 0.1 * n)
    plan = solve(problem)
    cost = plan.cost_micros.sum() / 1e6 / n
    choice = rule_for(alike(50_000, 1.0), plan.prices, cost=cost, rng=np.random.default_rng(1))
    # five standard deviations: a false alarm in two million runs
    assert abs((choice == 0).mean() - share) <= 5 * np.sqrt(0.25 / 50_000)
