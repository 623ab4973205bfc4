"""A problem under another budget is the one that is built for that budget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import incentive_engine as ie
from incentive_engine.allocation.budgets.other_budget import rule_of, with_budget_of
from incentive_engine.allocation.build import build_problem

USERS = 12
LIMITS: dict[str, dict[str, Any]] = {
    "a sum": {"sum": "cost", "at_most": 40.0, "at_least": 1.0},
    "a share of the budget": {"sum": "cost", "at_most": "40%", "at_least": "10%"},
    "a share of the users": {"sum": "issued", "at_most": "40%"},
    "a floor of what is spent": {"sum": "cost", "at_least": "25% of spent"},
    "a cap of what is spent": {"sum": "cost", "at_most": "60% of spent"},
    "a range of what is spent": {
        "sum": "cost", "at_least": "5% of spent", "at_most": "60% of spent",
    },
    "a ratio": {"ratio": ["spend", "cost"], "at_least": 1.5},
    "a ratio with two bounds": {"ratio": ["spend", "cost"], "at_least": 0.5, "at_most": 9.0},
}  # fmt: skip


def policy_of(limit: dict[str, Any]) -> ie.Policy:
    return ie.Policy.model_validate(
        {
            "version": 1,
            "name": "other",
            "offers": [{"id": "a", "face_value": 5}, {"id": "b", "face_value": 9}],
            "limits": [{"name": "limit", **limit}],
            "budget": {"amount": 50.0},
        }
    )


def scores_of(policy: ie.Policy) -> ie.ScoreTable:
    frame: dict[str, Any] = {
        "user_id": np.arange(USERS),
        "region": np.where(np.arange(USERS) % 2, "east", "west"),
    }
    for place, offer in enumerate(policy.offer_ids, start=1):
        for measure in ("conversion", "cost", "spend"):
            frame[f"{measure}__{offer}"] = np.linspace(1, 2, USERS) * place
        frame[f"conversion__{offer}"][1::2] *= 3.0  # the east is worth more
    return ie.ScoreTable.from_frame(pd.DataFrame(frame), policy)


@pytest.mark.parametrize("more", [{}, {"for_each": "region"}, {"where": {"region": "east"}}])
@pytest.mark.parametrize("kind", LIMITS)
def test_each_limit_is_the_one_that_is_built_for_the_budget(
    kind: str, more: dict[str, Any]
) -> None:
    policy = policy_of({**LIMITS[kind], **more})
    scores, nobody = scores_of(policy), np.zeros(USERS, dtype=bool)
    other = policy.with_budget(amount=80.0)
    moved = with_budget_of(build_problem(policy, scores, nobody), other)
    built = build_problem(other, scores, nobody)
    for one, same in zip(moved.limits, built.limits, strict=True):
        assert (one.name, one.terms, one.everywhere) == (same.name, same.terms, same.everywhere)
        assert (one.at_least, one.at_most, one.shares) == (
            same.at_least, same.at_most, same.shares,
        )  # fmt: skip
    assert moved.pool == built.pool


def test_a_curve_keeps_a_floor_of_what_is_spent_as_plans_do() -> None:
    floor = {"sum": "cost", "at_least": "90% of spent", "where": {"region": "west"}}
    policy = policy_of(floor)
    scores = scores_of(policy)
    curve = ie.response_curve(scores, policy, [4.0, 8.0, 16.0])
    alone = [
        ie.allocate(scores, policy, budget=budget).certificate.bound for budget in (4.0, 8.0, 16.0)
    ]
    assert curve["value"].to_numpy() == pytest.approx(alone, rel=1e-6)


def test_a_limit_belongs_to_the_longest_name_that_it_begins_with() -> None:
    policy = policy_of({"sum": "cost", "at_most": 1.0, "for_each": "region"})
    second = policy.limits[0].model_copy(update={"name": "limit[x"})
    both = policy.model_copy(update={"limits": (*policy.limits, second)})
    assert rule_of("limit[east]", both) == "limit"
    assert rule_of("limit[x[east]", both) == "limit[x"
