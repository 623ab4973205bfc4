from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.errors import InfeasibleError

from .campaign import campaign
from .test_edges import problem_of


def test_limits_in_conflict_are_named_and_others_are_not() -> None:
    problem = problem_of(
        [[1, 1, 1]],
        [[2, 2, 2]],
        sum_limit("cap", "cost", at_most=3.0),
        sum_limit("floor", "issued", at_least=3),
        sum_limit("harmless", "issued", at_most=10),
    )
    with pytest.raises(InfeasibleError) as caught:
        solve(problem)
    text = str(caught.value)
    assert "limit `cap`: at most 3: it cannot hold together with `floor`" in text
    assert "limit `floor`: at least 3: it cannot hold together with `cap`" in text
    assert "harmless" not in text


def test_the_cheapest_way_out_is_in_the_planners_units() -> None:
    problem = problem_of(
        [[1, 1, 1]],
        [[2, 2, 2]],
        sum_limit("cap", "cost", at_most=5.0),
        sum_limit("floor", "issued", at_least=3),
    )
    with pytest.raises(InfeasibleError, match="raise at_most of `cap` from 5 to 6"):
        solve(problem)


def test_the_way_out_of_a_share_of_no_budget_is_in_money() -> None:
    nothing = replace(sum_limit("half", "cost", at_most=0.0), shares=(None, 0.5))
    problem = problem_of([[1, 1]], [[2, 2]], nothing, exactly_one=True)
    with pytest.raises(InfeasibleError, match="raise at_most of `half` from 0 to 4"):
        solve(problem)


def test_a_floor_over_nobody_is_named_alone() -> None:
    problem = replace(
        problem_of([[1, 1]], [[1, 1]]),
        n_cells=2,
        limits=(sum_limit("ghosts", "issued", at_least=1, cells=np.array([False, True])),),
    )
    with pytest.raises(InfeasibleError, match="limit `ghosts`: at least 1: no plan keeps it"):
        solve(problem)


def test_exactly_one_needs_an_eligible_offer_for_everyone() -> None:
    problem = problem_of([[1, -np.inf]], [[1, 1]], exactly_one=True)
    with pytest.raises(InfeasibleError, match="1 users have no eligible offer"):
        solve(problem)


def with_impossible_floor(problem: Problem) -> Problem:
    assert problem.pool is not None
    tier = np.arange(problem.n_cells) < 20
    floor = sum_limit("greedy floor", "cost", at_least=1.2 * problem.pool.amount, cells=tier)
    return replace(problem, limits=(*problem.limits, floor))


def test_large_problems_name_a_conflict_whose_way_out_works() -> None:
    problem = with_impossible_floor(campaign(12_000))
    with pytest.raises(InfeasibleError) as caught:
        solve(problem)
    text = str(caught.value)
    assert "limit `greedy floor`" in text
    limits = {limit.name: limit for limit in problem.limits}
    pattern = r"(lower at_least|raise at_most) of `([^`]*)` from \S+ to ([\d,.e+-]+\d)"
    found = re.findall(pattern, text)
    assert found
    for what, name, number in found:
        amount = float(number.replace(",", ""))
        slack = 1e-2 * abs(amount)
        if "lower" in what:
            limits[name] = replace(limits[name], at_least=amount - slack)
        else:
            limits[name] = replace(limits[name], at_most=amount + slack)
    assert solve(replace(problem, limits=tuple(limits.values()))).certificate.feasible


def test_limits_that_only_split_offers_could_meet_are_infeasible() -> None:
    problem = problem_of(
        [[1.0] * 7], [[2.0] * 7], sum_limit("range", "cost", at_least=2.5, at_most=3.4)
    )
    with pytest.raises(InfeasibleError, match=r"lower at_least of `range` from 2\.5 to 2"):
        solve(problem)
