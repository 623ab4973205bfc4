from __future__ import annotations

import pytest

from incentive_engine.allocation import solve
from incentive_engine.errors import InfeasibleError

from .problems import best_by_brute_force, draw_problem


@pytest.mark.parametrize("seed", range(80))
def test_the_plan_of_a_small_problem_equals_brute_force(seed: int) -> None:
    problem = draw_problem(seed)
    best = best_by_brute_force(problem)
    if best is None:
        with pytest.raises(InfeasibleError):
            solve(problem)
        return
    certificate = solve(problem).certificate
    assert certificate.value == pytest.approx(best, rel=1e-9, abs=1e-9)
    assert certificate.bound >= best - 1e-9
    assert certificate.feasible
