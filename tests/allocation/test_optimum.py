from __future__ import annotations

import pytest

from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.errors import InfeasibleError

from .problems import best_by_brute_force, draw_problem
from .tiny import best_of_all, draw_tiny


def check_against(problem: Problem, best: float | None) -> None:
    """Fail unless the plan is worth what the best one is, or neither exists."""
    if best is None:
        with pytest.raises(InfeasibleError, match="the cheapest way out: "):
            solve(problem)
        return
    certificate = solve(problem).certificate
    assert certificate.value == pytest.approx(best, rel=1e-9, abs=1e-9)
    assert certificate.bound >= best - 1e-9
    assert certificate.feasible


@pytest.mark.parametrize("seed", range(80))
def test_the_plan_of_a_small_problem_equals_brute_force(seed: int) -> None:
    problem = draw_problem(seed)
    check_against(problem, best_by_brute_force(problem))


@pytest.mark.parametrize("seed", range(120))
def test_the_plan_of_a_tiny_problem_with_limits_of_every_kind_is_the_best(seed: int) -> None:
    problem = draw_tiny(seed)
    check_against(problem, best_of_all(problem))
