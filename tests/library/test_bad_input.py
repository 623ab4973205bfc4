"""What callers hand in by mistake, and what they are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import incentive_engine as ie

from .market import model, policy, scores, trial_frame, users_frame


def trial(frame: object) -> Callable[[], object]:
    return lambda: ie.Trial.from_frame(frame, policy())


def allocated(**options: object) -> Callable[[], object]:
    return lambda: ie.allocate(scores(), policy(), **options)  # type: ignore[arg-type] # bad on purpose


FRAME = trial_frame(60)
CASES: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "a missing column": (
        trial(FRAME.drop(columns=["cost"])),
        ie.DataError,
        "trial: column `cost` is missing",
    ),
    "a column that the policy names": (
        trial(FRAME.drop(columns=["region"])),
        ie.DataError,
        "column `region` is not in trial",
    ),
    "mixed types": (
        trial(FRAME.assign(age=[1, "a"] * 30)),
        ie.DataError,
        "trial: column `age` mixes types: int, str",
    ),
    "lists in cells": (
        trial(FRAME.assign(age=pd.Series([[1]] * 60))),
        ie.DataError,
        "columns hold lists or structures: age",
    ),
    "a column twice": (
        trial(pd.concat([FRAME, FRAME[["age"]]], axis=1)),
        ie.DataError,
        "columns appear more than once: age",
    ),
    "a row of the estimator without an arm": (
        lambda: ie.UpliftEstimator().fit(
            FRAME[["age"]], FRAME["conversion"], offer=FRAME["offer"].where(FRAME.index > 1)
        ),
        ie.DataError,
        "fit: `offer` is missing in 2 rows",
    ),
    "duplicate users": (
        trial(pd.concat([FRAME, FRAME.head(2)])),
        ie.DataError,
        "`user_id` repeats an earlier row",
    ),
    "a lazy frame": (
        trial(pl.from_pandas(FRAME).lazy()),
        ie.DataError,
        "evaluated lazily .polars.LazyFrame.*collect",
    ),
    "no frame": (trial([1, 2]), ie.DataError, "trial: is no frame .builtins.list."),
    "no rows": (trial(FRAME.head(0)), ie.DataError, "trial: has no rows"),
    "an unknown key": (
        lambda: ie.Policy(version=1, name="x", offerz=[]),  # type: ignore[call-arg] # bad on purpose
        ie.ConfigError,
        "did you mean `offers`",
    ),
    "an offer that cannot be": (
        lambda: ie.Offer(id="a b", face_value=-1),
        ie.ConfigError,
        "offer: id: `a b` has other characters",
    ),
    "no budget": (allocated(), ie.ConfigError, "budget: neither .* or min_roi"),
    "a truth value for a budget": (
        allocated(budget=True),
        ie.ConfigError,
        "budget: is a bool",
    ),
    "a word for a budget": (
        allocated(budget="lots"),
        ie.ConfigError,
        "budget: `lots` is not an amount",
    ),
    "a negative budget": (allocated(budget=-1), ie.ConfigError, "budget"),
    "no amount at all": (allocated(budget=float("nan")), ie.ConfigError, "budget"),
    "an unknown basis": (allocated(budget=1, basis="actual"), ie.ConfigError, "basis"),
    "a ratio below zero": (
        allocated(budget=1, min_marginal_roi=-1.0),
        ie.ConfigError,
        "min_marginal_roi",
    ),
    "scores of another policy": (
        lambda: ie.allocate(scores(), policy(offers=[{"id": "x", "face_value": 1}]), budget=1),
        ie.DataError,
        "scores: was made for the offers off10, off20, expected x",
    ),
    "scores without a column": (
        lambda: ie.allocate(scores(), policy(holdout_strata=["tier"]), budget=1),
        ie.DataError,
        "column `tier` is not in scores",
    ),
    "a frame for scores": (
        lambda: ie.allocate(scores().to_frame(), policy(), budget=1),  # type: ignore[arg-type] # bad on purpose
        ie.DataError,
        "scores: is a DataFrame, expected a ScoreTable",
    ),
    "limits that cannot hold": (
        lambda: ie.allocate(
            scores(),
            policy(limits=[{"name": "many", "sum": "issued", "at_least": 2500}]),
            budget=1,
        ),
        ie.InfeasibleError,
        "many",
    ),
    "no budgets": (
        lambda: ie.response_curve(scores(), policy(), []),
        ie.ConfigError,
        "budgets: there is none",
    ),
    "users without a feature": (
        lambda: model().score(users_frame().drop(columns=["age"]), policy()),
        ie.DataError,
        "the feature `age` that the model learned from is missing",
    ),
    "a policy with an offer that was not tried": (
        lambda: model().score(users_frame(), policy(offers=[{"id": "x", "face_value": 1}])),
        ie.DataError,
        "did not try this offer",
    ),
    "a measure that no trial has": (
        lambda: model().gain(ie.allocate(scores(), policy(), budget=9), "conversions"),
        ie.ConfigError,
        "did you mean `conversion`",
    ),
    "a trial of another policy": (
        lambda: ie.fit(model().trial, policy(offers=[{"id": "x", "face_value": 1}])),
        ie.DataError,
        "trial: was made for the offers off10, off20",
    ),
    "a trial that teaches nothing": (
        lambda: ie.fit(ie.Trial.from_frame(FRAME, policy()), policy()),
        ie.DataError,
        "arm sizes: .*`accept trial-arm-sizes` goes on all the same",
    ),
    "a refusal that nobody can answer for": (
        lambda: ie.fit(model().trial, policy(), accept=["trial-outcomes"]),
        ie.ConfigError,
        "accept trial-outcomes",
    ),
    "another trial to evaluate by": (
        lambda: ie.evaluate(
            model(), ie.Trial.from_frame(trial_frame().head(5000), policy()), policy()
        ),
        ie.DataError,
        "is not the trial",
    ),
    "no policy there": (lambda: ie.load_policy("nowhere.yaml"), ie.ConfigError, "no such file"),
    "no run there": (lambda: ie.load_run(Path("nowhere")), ie.DataError, "no such file"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told_by_the_librarys_own_errors(case: str) -> None:
    call, kind, words = CASES[case]
    with pytest.raises(kind, match=words) as told:
        call()
    assert isinstance(told.value, ie.IncentiveError)
    assert told.value.faults


def test_all_that_is_wrong_with_a_frame_is_told_at_once() -> None:
    frame = FRAME.assign(conversion=np.where(FRAME.index == 3, 2, FRAME["conversion"]))
    frame.loc[5, "cost"] = -1.0
    with pytest.raises(ie.DataError) as told:
        ie.Trial.from_frame(frame, policy())
    assert len(told.value.faults) == 2


def test_an_index_says_nothing_about_rows() -> None:
    moved = trial_frame(600).set_index(np.zeros(600))
    found = ie.Trial.from_frame(moved, policy())
    assert found.user_id.tolist() == list(range(600))
    assert found.features.index.tolist() == list(range(600))


def test_verification_of_what_is_no_run_says_so(tmp_path: Path) -> None:
    found = ie.verify(tmp_path)
    assert not found.ok
    assert found.failures
