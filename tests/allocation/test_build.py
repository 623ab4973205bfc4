from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.errors import ConfigError

USERS = pd.DataFrame(
    {
        "user_id": ["a", "b", "c", "d"],
        "tier": ["gold", "gold", "basic", None],
        "region": ["N", "S", "N", "S"],
        "spend_12m": [100.0, 400.0, -5.0, np.nan],
        "conversion__x": [0.1, 0.2, 0.3, 0.4],
        "conversion__y": [0.2, np.nan, 0.1, 0.2],
        "cost__x": [1.0, 2.0, 3.0, 4.0],
        "cost__y": [2.0000001, 1.0, 1.0, 1.0],
        "spend__x": [10.0, 20.0, 30.0, 40.0],
        "spend__y": [5.0, 5.0, 5.0, np.nan],
    }
)


def problem(holdout: int | None = None, **settings: Any) -> Problem:
    base = {
        "version": 1,
        "name": "test",
        "offers": [{"id": "x", "face_value": 5}, {"id": "y", "face_value": 10}],
    }
    policy = Policy.model_validate({**base, **settings})
    scores = ScoreTable.from_frame(USERS, policy)
    held = np.zeros(len(USERS), dtype=bool)
    if holdout is not None:
        held[holdout] = True
    return build_problem(policy, scores, held)


def bounds(made: Problem) -> dict[str, tuple[float | None, float | None]]:
    return {limit.name: (limit.at_least, limit.at_most) for limit in made.limits}


def members(made: Problem, name: str) -> list[bool]:
    limit = next(limit for limit in made.limits if limit.name == name)
    assert limit.cells is not None
    return [bool(limit.cells[cell]) for cell in made.cell]


def test_the_value_is_the_weighted_sum_of_measures() -> None:
    made = problem(objective={"maximise": {"conversion": 1, "spend": 0.01, "cost": -1}})
    assert made.value[0].tolist() == pytest.approx([-0.8, -1.6, -2.4, -3.2])


def test_a_cost_in_the_value_is_rounded_up_to_a_millionth() -> None:
    made = problem(objective={"maximise": {"cost": 1}})
    assert made.value[1, 0] == 2.000001


def test_a_missing_measure_makes_a_pair_ineligible() -> None:
    eligible = problem().value > -np.inf
    assert eligible.tolist() == [[True] * 4, [True, False, True, False]]


def test_eligibility_rules_and_the_holdout_take_pairs_out() -> None:
    made = problem(holdout=2, eligibility=[{"offers": ["x"], "where": {"tier": "gold"}}])
    assert (made.value > -np.inf).tolist() == [
        [True, True, False, False],
        [True, False, False, False],
    ]


def test_weights_multiply_and_missing_values_count_one() -> None:
    made = problem(
        objective={
            "maximise": "conversion",
            "weight": [
                {"column": "tier", "values": {"gold": 3}},
                {"column": "spend_12m", "power": 0.5},
            ],
        }
    )
    assert made.weight is not None
    assert made.weight.tolist() == pytest.approx([3.0, 6.0, 0.1, 1.0])
    assert made.value[0].tolist() == pytest.approx([0.3, 1.2, 0.03, 0.4])


def test_one_limit_is_made_per_value_that_is_not_missing() -> None:
    limit = {"name": "cap", "sum": "cost", "for_each": "tier", "at_most": 3}
    made = problem(limits=[limit])
    assert list(bounds(made)) == ["cap[basic]", "cap[gold]"]
    assert members(made, "cap[gold]") == [True, True, False, False]


def test_where_picks_the_users_of_a_limit() -> None:
    where = {"tier": "gold", "spend_12m": {"at_least": 200}}
    made = problem(limits=[{"name": "big", "sum": "cost", "where": where, "at_most": 1}])
    assert members(made, "big") == [False, True, False, False]


def test_percentages_are_of_the_budget_for_money_and_of_all_users_for_issued() -> None:
    made = problem(
        holdout=0,
        budget={"amount": 10},
        limits=[
            {"name": "money", "sum": "spend", "at_least": "50%"},
            {"name": "count", "sum": "issued", "at_most": "50%"},
        ],
    )
    assert bounds(made) == {"money": (5.0, None), "count": (None, 2.0), "budget": (None, 10.0)}


def test_the_basis_says_what_the_budget_bounds() -> None:
    assert problem(budget={"amount": 9, "basis": "face"}).limits[-1].terms == (("face", 1.0),)
    assert problem(budget={"amount": 9}).limits[-1].terms == (("cost", 1.0),)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"sum": "cost", "at_most": "5%"}, "there is none; give --budget"),
        ({"sum": "issued", "at_least": 3, "at_most": "50%"}, "at_least comes to 3, above at_most"),
    ],
)
def test_limits_that_cannot_be_stated_are_refused(limit: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        problem(limits=[{"name": "odd", **limit}])


def test_all_faults_come_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        problem(
            limits=[
                {"name": "one", "sum": "cost", "at_most": "5%"},
                {"name": "two", "sum": "issued", "at_least": 3, "at_most": "50%"},
            ]
        )
    assert len(caught.value.faults) == 2


def test_ties_go_by_user_and_not_by_row() -> None:
    frame = pd.concat([USERS.assign(user_id=list("efgh")), USERS], ignore_index=True)
    frame["conversion__x"], frame["cost__x"] = 0.1, 1.0
    policy = Policy.model_validate(
        {
            "version": 1,
            "name": "t",
            "offers": [{"id": "x", "face_value": 5}],
            "budget": {"amount": 3},
        }
    )
    chosen = []
    for table in (frame, frame.iloc[::-1].reset_index(drop=True)):
        scores = ScoreTable.from_frame(table, policy)
        plan = solve(build_problem(policy, scores, np.zeros(len(table), dtype=bool)))
        chosen.append(sorted(table["user_id"][plan.choice == 0]))
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 3
