"""Money beyond int64, scores that cannot be planned with, and money to half a millionth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.domain import to_micros
from incentive_engine.verify.recomputed.arithmetic import exact_total, running_totals
from incentive_engine.verify.recomputed.pairs import _whole_micros
from incentive_engine.verify.verification import verify_run

from .corruption import Cases, Corruption, assert_refused, give
from .runs import HandMadeRun, limit

case = Cases()
WRAPS = 4611686018427.387904
"""2**62 millionths: two of them wrap around in int64."""


def spend_more_than_integers_hold(run: HandMadeRun, cost: float) -> None:
    """Let four users cost so much that an integer sum of theirs wraps around to nothing."""
    del run.policy["eligibility"], run.policy["holdout"]
    assert run.policy_file is not None
    del run.policy_file["eligibility"], run.policy_file["holdout"]
    run.scores["cost__a"] = run.scores["cost__b"] = cost
    run.scores["conversion__a"] = 0.1
    for row in range(6):
        give(run, row, "a")
    run.rows["cost_micros"] = int(cost * 1e6)
    run.rows["cost"] = cost


@case("scores", "the costs of all users are too large to be summed")
def wrap_the_sum_of_costs(run: HandMadeRun) -> None:
    spend_more_than_integers_hold(run, WRAPS)


@case("budget", "27,670,116,110,564.328125 is above 4.0")
def hide_a_sum_of_costs_that_wraps(run: HandMadeRun) -> None:
    spend_more_than_integers_hold(run, WRAPS)


@case("scores", "6 costs too large to be summed")
def plan_with_a_cost_beyond_integers(run: HandMadeRun) -> None:
    run.scores["cost__b"] = 1e13


@case("scores", "1 infinite measures")
def plan_with_an_infinite_conversion(run: HandMadeRun) -> None:
    run.scores.loc[3, "conversion__a"] = np.inf


@case("scores", "1 infinite measures")
def plan_with_an_infinite_spend(run: HandMadeRun) -> None:
    run.scores.loc[0, "spend__a"] = -np.inf


@case("users", "scores.parquet has no user_id in 1 row(s): 5")
def plan_for_nobody(run: HandMadeRun) -> None:
    for table in (run.rows, run.scores):
        table["user_id"] = table["user_id"].astype("Int64")
        table.loc[4, "user_id"] = None


@case("users", "scores.parquet has no user_id in 1 row(s): 5")
def plan_for_an_empty_name(run: HandMadeRun) -> None:
    for table in (run.rows, run.scores):
        table["user_id"] = table["user_id"].astype(str)
        table.loc[4, "user_id"] = ""


@pytest.mark.parametrize(("corrupt", "check", "words"), case.parameters)
def test_what_cannot_be_summed_is_refused_by_the_check_that_names_it(
    corrupt: Corruption, check: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    assert_refused(corrupt, check, words, tmp_path)


def test_faces_beyond_int64_are_summed_exactly(tmp_path: Path) -> None:
    users, face = 12_000, 9e8  # 1.08e13 currency units, 2**63 millionths are 9.2e12
    run = HandMadeRun()
    for policy in (run.policy, run.policy_file):
        assert policy is not None
        policy["offers"] = [{"id": "a", "face_value": face}]
        policy.update(limits=[{"name": "faces", "sum": "face", "at_most": users * face}])
        for key in ("eligibility", "holdout", "budget", "objective"):
            del policy[key]
    numbers = np.arange(users)
    scores = {"user_id": numbers, "conversion__a": 0.5, "cost__a": 1.0, "spend__a": 1.0}
    run.scores = pd.DataFrame(scores)
    run.rows = pd.DataFrame(
        {
            "user_id": numbers, "offer_id": "a", "conversion": 0.5, "spend": 1.0, "cost": 1.0,
            "cost_micros": 1_000_000, "weight": 1.0, "reason": "offered",
            "propensity": 1.0, "margin": 0.5,
            "smallest_budget": np.nan,
        }
    )  # fmt: skip
    total = users * face
    run.certificate["returns"] = {
        "spend": float(users), "cost": float(users), "roi": 1.0, "marginal_roi": None
    }  # fmt: skip
    run.certificate.update(value=0.5 * users, bound=0.5 * users, users=users, treated=users)
    run.certificate["budget"] = {
        "amount": None, "basis": "expected", "spent": float(users), "spent_face": total
    }  # fmt: skip
    faces = limit("faces", at_most=total, usage=total, slack=0.0)
    run.certificate["limits"] = [faces]
    run.manifest = {"holdout": {"share": 0.0, "users": 0}}
    run.prices["settled"] = 0
    verification = verify_run(run.write(tmp_path / "run"))
    assert verification.ok, verification.failures


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50))
def test_totals_are_those_of_python(amounts: list[int]) -> None:
    array = np.array(amounts, dtype=np.int64)
    assert exact_total(array) == sum(amounts)


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=50))
def test_running_totals_round_once_or_twice(amounts: list[int]) -> None:
    found = running_totals(np.array(amounts, dtype=np.int64))
    assert found[-1] == pytest.approx(sum(amounts), rel=4e-16)


@given(st.floats(0, 9e12))
def test_costs_round_as_they_are_planned_with(cost: float) -> None:
    assert _whole_micros(np.array([cost]))[0] == to_micros([cost])[0]


@given(st.integers(2**49, 2**53))
def test_half_a_millionth_rounds_as_it_is_planned_with(steps: int) -> None:
    cost = (steps + 0.5) / 1e6
    assert _whole_micros(np.array([cost]))[0] == to_micros([cost])[0]
