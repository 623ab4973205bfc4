"""Lies about the policy: overrides that hide its rules, a file that is gone or another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from .corruption import Cases, Corruption, assert_refused
from .runs import HandMadeRun, evaluation_by_hand

case = Cases()


def without_rules(run: HandMadeRun, *names: str) -> None:
    """Plan without some rules of the policy file."""
    for name in names:
        run.policy.pop(name, None)


@case("policy", "limits.0: no command makes such an override")
def hide_everything_behind_overrides(run: HandMadeRun) -> None:
    without_rules(run, "eligibility", "holdout")
    names = ("limits.0", "limits.1", "eligibility", "holdout", "objective", "budget")
    run.overrides = dict.fromkeys(names, 0)


@case("policy", "holdout is 0.17 in policy.yaml with its overrides, – in the manifest")
def leave_the_holdout_out(run: HandMadeRun) -> None:
    without_rules(run, "holdout")


@case("policy", "limits.0.at_least is 60.0% in policy.yaml")
def soften_a_limit_beside_an_honest_override(run: HandMadeRun) -> None:
    assert run.policy_file is not None
    run.policy_file["limits"][0]["at_least"] = "60%"
    run.overrides = {"budget.amount": 4.0}


@case("policy", "limits: `True` is no ratio")
def override_a_limit_with_a_word(run: HandMadeRun) -> None:
    run.overrides = {"limits": True}


@case("policy", "limits.5.ratio.0 is spend in policy.yaml with its overrides, –")
def record_a_return_that_was_not_asked(run: HandMadeRun) -> None:
    run.overrides = {"limits": 9.0}


@case("policy", "name is by hand in policy.yaml with its overrides, another in the manifest")
def change_the_name(run: HandMadeRun) -> None:
    run.policy["name"] = "another"


@case("policy", "currency is CNY in policy.yaml with its overrides, JPY in the manifest")
def change_the_currency(run: HandMadeRun) -> None:
    run.policy["currency"] = "JPY"


@case("policy", "approval.required is True in policy.yaml")
def drop_the_approval(run: HandMadeRun) -> None:
    assert run.policy_file is not None
    run.policy_file["approval"] = {"required": True}


@case("policy", "data.users is users.parquet in policy.yaml")
def name_other_data(run: HandMadeRun) -> None:
    assert run.policy_file is not None
    run.policy_file["data"] = {"users": "users.parquet"}
    run.policy["data"] = {"users": "/data/others.parquet"}


@case("files", "policy.yaml is not listed in manifest.json")
def take_the_policy_file_away(run: HandMadeRun) -> None:
    run.policy_file = None


@case("policy", "budget.cost_error is overridden, and no budget is at risk")
def override_an_error_that_nobody_asked_for(run: HandMadeRun) -> None:
    run.overrides = {"budget.cost_error": 0.01}
    run.policy["budget"]["cost_error"] = 0.01


def at_risk(run: HandMadeRun, error: float) -> None:
    assert run.policy_file is not None
    for policy in (run.policy, run.policy_file):
        policy["budget"] = {"amount": 4.0, "basis": "at-risk"}
    run.policy["budget"]["cost_error"] = error
    run.overrides = {"budget.cost_error": error}


@case("policy", "no model was at hand to tell it")
def state_a_models_error_for_given_scores(run: HandMadeRun) -> None:
    at_risk(run, 0.06)


@case("policy", "less than the 0.05 of every season")
def forecast_better_than_anybody_can(run: HandMadeRun) -> None:
    at_risk(run, 0.0)
    run.evaluation = evaluation_by_hand()


@pytest.mark.parametrize(("corrupt", "check", "words"), case.parameters)
def test_a_forged_policy_is_refused_by_the_check_that_names_it(
    corrupt: Corruption, check: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    assert_refused(corrupt, check, words, tmp_path)
