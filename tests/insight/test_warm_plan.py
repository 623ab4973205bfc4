"""A plan that follows the hand says what the plan that is paid out will say."""

from __future__ import annotations

import re

import pytest

from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.config.document.loading import policy_from_mapping
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable, holdout_of
from incentive_engine.insight.planner.warm_plan import WarmPlan
from service.runs import policy as spring
from service.runs import scores

REGION = {"name": "region", "sum": "cost", "for_each": "region", "at_most": "60%"}


def asked(amount: float, **changes: object) -> Policy:
    return policy_from_mapping({**spring({"amount": amount}), **changes})


@pytest.fixture(scope="module")
def table() -> ScoreTable:
    return ScoreTable.from_frame(scores(2_000), asked(600.0), where="scores")


def value_of(policy: Policy, table: ScoreTable) -> float:
    problem = build_problem(policy, table, holdout_of(policy, table))
    return solve(problem).certificate.value


@pytest.mark.parametrize(
    "policy",
    [
        asked(3_000.0),
        asked(300.0),
        asked(3_000.0, holdout=0.3),
        asked(3_000.0, limits=[{"name": "cap", "sum": "issued", "at_most": "10%"}]),
        asked(3_000.0, limits=[{"name": "roi", "ratio": ["spend", "cost"], "at_least": 2}]),
    ],
)
def test_the_value_after_a_move_is_that_of_the_plan(policy: Policy, table: ScoreTable) -> None:
    warm = WarmPlan(table)
    warm.outlook(asked(2_000.0))
    outlook = warm.outlook(policy)
    assert outlook.feasible
    assert outlook.proof.value == pytest.approx(value_of(policy, table), rel=2e-3)
    assert outlook.cost <= 3_000.0 * (1 + 1e-6)


@pytest.mark.parametrize("share", ["5%", "20%"])
def test_explorers_count_in_every_figure_as_they_do_in_the_plan(
    share: str, table: ScoreTable
) -> None:
    policy = asked(3_000.0, explore=share, limits=[REGION])
    problem = build_problem(policy, table, holdout_of(policy, table))
    certificate = solve(problem).certificate
    warm = WarmPlan(table)
    for first in (asked(2_000.0, limits=[REGION]), asked(2_500.0, explore="1%", limits=[REGION])):
        warm.outlook(first)
        outlook = warm.outlook(policy)
        assert outlook.proof.value == pytest.approx(certificate.value, rel=1e-3)
        assert outlook.proof.bound == pytest.approx(certificate.bound, rel=1e-3)
        assert outlook.cost == pytest.approx(certificate.budget.spent, rel=2e-3)
        assert outlook.face == pytest.approx(certificate.budget.spent_face, rel=1e-2)
        assert outlook.treated == pytest.approx(certificate.treated, abs=4)
        usage = {limit.name: limit.usage for limit in outlook.limits}
        for limit in certificate.limits:
            assert usage[limit.name] == pytest.approx(limit.usage, rel=1e-2), limit.name


def test_explorers_who_use_more_than_there_is_are_named(table: ScoreTable) -> None:
    warm = WarmPlan(table)
    warm.outlook(asked(600.0))
    outlook = warm.outlook(asked(600.0, explore="50%", limits=[REGION]))
    text = "\n".join(str(fault) for fault in outlook.conflict)
    assert "explore a smaller share" in text
    assert warm.outlook(asked(600.0, limits=[REGION])).feasible


def test_a_move_and_back_is_where_it_began(table: ScoreTable) -> None:
    warm = WarmPlan(table)
    first = warm.outlook(asked(3_000.0))
    assert not warm.outlook(impossible()).feasible
    warm.outlook(asked(100.0))
    again = warm.outlook(asked(3_000.0))
    assert again.proof.value == pytest.approx(first.proof.value, rel=2e-4)
    assert [limit.name for limit in again.limits] == [limit.name for limit in first.limits]


def impossible() -> Policy:
    limits = [
        {"name": "floor", "sum": "cost", "at_least": 2_000},
        {"name": "few", "sum": "issued", "at_most": 3},
    ]
    return asked(3_000.0, limits=limits)


def test_limits_that_cannot_hold_are_named_with_the_way_out(table: ScoreTable) -> None:
    warm = WarmPlan(table)
    outlook = warm.outlook(impossible())
    text = "\n".join(str(fault) for fault in outlook.conflict)
    assert "floor" in text
    assert "few" in text
    assert "way out" in text
    assert warm.rules() == {}
    assert warm.response() is None
    assert warm.outlook(asked(3_000.0)).feasible


def test_floors_in_percent_are_not_met_by_a_larger_budget(table: ScoreTable) -> None:
    def shares(north: str, south: str) -> Policy:
        limits = [
            {"name": name, "sum": "cost", "where": {"region": name}, "at_least": share}
            for name, share in (("north", north), ("south", south))
        ]
        return asked(300.0, limits=limits)

    warm = WarmPlan(table)
    assert warm.outlook(shares("10%", "20%")).feasible
    text = "\n".join(str(fault) for fault in warm.outlook(shares("10%", "95%")).conflict)
    assert "(95% of the budget)" in text  # and not what the slider said before
    assert "raise at_most of `budget`" not in text
    way = re.search(
        r"lower at_least of .* from [\d.,]+ to ([\d.,]+) \(([\d.]+)% of the budget\)", text
    )
    assert way is not None  # in the slider's own unit, too
    amount, share = (float(number.replace(",", "")) for number in way.groups())
    assert share <= 100 * amount / 300 < share + 0.02


def test_what_a_rule_costs_is_no_less_than_what_dropping_it_gains(table: ScoreTable) -> None:
    warm, tight = WarmPlan(table), asked(3_000.0)
    tight = replace_limits(tight, 40)
    value = warm.outlook(tight).proof.value
    rules = warm.rules()
    assert {"stock"} <= rules.keys()
    free = replace_limits(tight, None)
    assert rules["stock"] >= value_of(free, table) - value - 1e-3 * value


def replace_limits(policy: Policy, stock: int | None) -> Policy:
    limits: list[dict[str, object]] = [{"name": "few", "sum": "issued", "at_most": 400}]
    if stock is not None:
        limits.append({"name": "stock", "sum": "issued", "offers": ["b"], "at_most": stock})
    return asked(policy.budget.amount if policy.budget else 0.0, limits=limits)
