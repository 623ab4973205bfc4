"""Users whose arm is drawn by lot: who, which arm, and what is left for the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from incentive_engine.allocation.budgets.smallest_budget import smallest_budgets
from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.config.policy import Policy
from incentive_engine.data.hashing import hash_ids
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.trials.exploring import draw_arms, explorers_of
from incentive_engine.errors import InfeasibleError

from .test_decision import OFFERS, people, rich_policy

BUDGET = {"amount": 700}


def problem_of(policy: Policy, n: int = 900, *, seed: int = 1) -> tuple[ScoreTable, Problem]:
    table = ScoreTable.from_frame(people(n, seed=seed), policy)
    nobody = np.zeros(n, dtype=np.bool_)
    return table, build_problem(policy, table, nobody)


def test_the_share_is_exact_outside_the_holdout_and_does_not_hang_on_the_order() -> None:
    table, _ = problem_of(rich_policy())
    holdout = np.arange(900) % 10 == 0
    users, highest = explorers_of(table.user_id, holdout, share=0.02, seed=3)
    assert len(users) == round(0.02 * 810)
    assert not holdout[users].any()
    order = np.random.default_rng(0).permutation(900)
    again, same = explorers_of(table.user_id.take(order), holdout[order], share=0.02, seed=3)
    assert same == highest
    assert sorted(order[again].tolist()) == users.tolist()


def test_each_arm_is_drawn_as_often_as_its_propensity_says() -> None:
    """Chi-square with 5 degrees of freedom stays below 20.5 with 99.9 % probability."""
    n, k = 60_000, 5
    table = ScoreTable.from_frame(people(n, seed=5), rich_policy())
    words = hash_ids(table.user_id, bytes(16))
    eligible = np.ones((k, n), dtype=np.bool_)
    choice, propensity = draw_arms(words, eligible, with_control=True)
    assert np.all(propensity == 1 / 6)
    counts = np.bincount(choice + 1, minlength=k + 1)
    assert ((counts - n / 6) ** 2 / (n / 6)).sum() < 20.5


def test_explorers_get_only_what_rules_and_measures_let_them_have() -> None:
    _, free = problem_of(rich_policy())
    _, problem = problem_of(rich_policy(explore=0.5, budget=BUDGET))
    explorers = problem.explorers
    assert explorers is not None
    user, offer = explorers.pairs
    assert np.all(free.value[offer, user] > -np.inf)
    arms = 1 + (free.value[:, explorers.users] > -np.inf).sum(axis=0)
    assert np.array_equal(explorers.propensity, 1 / arms)
    assert {*np.unique(explorers.choice).tolist()} == {-1, *range(len(OFFERS))}


@pytest.mark.parametrize("basis", ["expected", "face", "at-risk"])
def test_the_plan_with_explorers_keeps_every_limit_and_lies_below_its_bound(basis: str) -> None:
    limits = [
        {"name": "region cap", "sum": "cost", "for_each": "region", "at_most": 220},
        {"name": "stock", "sum": "issued", "offers": ["off10", "a30"], "at_most": 150},
        {"name": "golden", "sum": "cost", "where": {"tier": "gold"}, "at_least": "12% of spent"},
        {"name": "roi", "ratio": ["spend", "cost"], "at_least": 0.5, "at_most": 9.0},
    ]
    budget = {"amount": 2500 if basis == "face" else 500, "basis": basis}
    policy = rich_policy(explore=0.1, budget=budget, limits=limits)
    table, problem = problem_of(policy)
    plan = solve(problem)
    assert problem.explorers is not None
    explored = problem.explorers
    assert np.array_equal(plan.choice[explored.users], explored.choice)
    assert plan.certificate.feasible
    assert all(limit.slack >= -1e-6 for limit in plan.certificate.limits if not limit.report_only)
    value = problem.value.copy()
    value[explored.pairs[1], explored.pairs[0]] = explored.value[explored.choice >= 0]
    chosen = np.flatnonzero(plan.choice >= 0)
    assert plan.certificate.value == pytest.approx(value[plan.choice[chosen], chosen].sum())
    assert plan.certificate.value <= plan.certificate.bound
    assert plan.certificate.treated == len(chosen)
    costs = table.measures["cost"].astype(np.float64)[plan.choice[chosen], chosen]
    assert plan.certificate.budget.spent == pytest.approx(costs.sum(), rel=1e-6)
    assert plan.split.value == pytest.approx(plan.certificate.value, rel=0.02)


def test_exploring_more_never_gains_by_the_scores() -> None:
    values = []
    for share in (None, 0.05, 0.2, 0.5):
        _, problem = problem_of(rich_policy(explore=share, budget={"amount": 2500}, limits=[]))
        values.append(solve(problem).certificate.value)
    assert values == sorted(values, reverse=True)


def test_a_limit_that_explorers_alone_break_is_named_with_what_to_do() -> None:
    limits = [{"name": "stock", "sum": "issued", "offers": ["off10"], "at_most": 3}]
    policy = rich_policy(explore=0.3, limits=limits, budget={"amount": 20})
    with pytest.raises(InfeasibleError) as refused:
        solve(problem_of(policy)[1])
    where = [str(fault.where) for fault in refused.value.faults]
    assert where == ["explore: budget", "explore: stock"]
    assert all("explore a smaller share" in str(fault) for fault in refused.value.faults)


def test_explorers_alone_may_pass_a_budget_at_risk_and_are_refused() -> None:
    policy = rich_policy(explore=0.3, limits=[], budget={"amount": 120, "basis": "at-risk"})
    with pytest.raises(InfeasibleError, match="by their lots alone"):
        solve(problem_of(policy)[1])


def test_floors_count_explorers() -> None:
    """Everybody explores, so that nobody else could reach the floor."""
    floor = [{"name": "floor", "sum": "issued", "at_least": 300}]
    policy = rich_policy(explore=1, limits=floor, budget={"amount": 50_000})
    plan = solve(problem_of(policy)[1])
    assert plan.certificate.treated > 300
    assert plan.certificate.gap == pytest.approx(0, abs=1e-9)


def test_no_smallest_budget_is_told_where_some_explore() -> None:
    policy = rich_policy(explore=0.1, limits=[], budget=BUDGET)
    assert smallest_budgets(problem_of(policy)[1]) is None


def test_limits_in_conflict_are_told_as_written_with_what_explorers_use_of_them() -> None:
    """A floor beyond the budget: bounds are the planner's, not what explorers leave of them."""
    policy = Policy.model_validate(
        {
            "version": 1,
            "name": "both",
            "offers": [{"id": "a", "face_value": 10}],
            "limits": [{"name": "floor", "sum": "cost", "at_least": 900}],
            "budget": {"amount": 500},
            "explore": 0.4,
            "seed": 3,
        }
    )
    table = ScoreTable.from_frame(
        pd.DataFrame(
            {"user_id": np.arange(400), "conversion__a": 0.1, "cost__a": 3.0, "spend__a": 1.0}
        ),
        policy,
    )
    nobody = np.zeros(400, dtype=np.bool_)
    problem = build_problem(policy, table, nobody)
    assert problem.explorers is not None
    used = 3.0 * problem.explorers.treated
    assert 100 < used < 500
    with pytest.raises(InfeasibleError) as error:
        solve(problem)
    told = str(error.value)
    assert "at least 900" in told
    assert "at most 500" in told
    assert f"users who explore use {used:,.2f} of it by their lots" in told
    with pytest.raises(InfeasibleError) as error:
        solve(build_problem(policy.without_exploring(), table, nobody))
    assert "explore" not in str(error.value)
    assert "at least 900" in str(error.value)
