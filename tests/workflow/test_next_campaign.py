"""The next campaign learns from a first trial, under its own names, and from a campaign since."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import incentive_engine as ie
from incentive_engine.config.document.loading import load_policy
from incentive_engine.config.policy import Policy
from incentive_engine.data.sources import open_source
from incentive_engine.data.trials.trial import Trial, read_trial
from incentive_engine.insight.budget.policy_options import BudgetOptions
from incentive_engine.pipeline.trials import trials_of
from incentive_engine.workflow.allocate import allocate

FIRST, SINCE = "first", "spring"


@pytest.fixture(scope="module")
def policy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a policy beside its users, a first trial and what `learn` made of a campaign."""
    folder = tmp_path_factory.mktemp("next")
    rng = np.random.default_rng(0)
    users = pd.DataFrame({"user_id": [f"u{i}" for i in range(3_000)]})
    users["visits"] = rng.poisson(4, len(users))
    users.to_parquet(folder / "users.parquet")
    rows = _rows(rng, 4_000, offered=0.5)
    rows.rename(columns={"offer": "group", "conversion": "bought"}).to_csv(
        folder / f"{FIRST}.csv", index=False
    )
    since = _rows(rng, 2_000, offered=0.1).assign(
        campaign=SINCE, decided_at=pd.Timestamp("2026-03-01", tz="UTC"), arms="off5"
    )
    since["propensity"] = np.where(since["offer"] == "off5", 0.1, 0.9)
    (folder / "learned").mkdir()
    since.to_parquet(folder / "learned" / f"{SINCE}.parquet")
    policy = {
        "version": 1,
        "name": "next",
        "data": {
            "users": "users.parquet",
            "trial": [f"{FIRST}.csv", "learned"],
            "columns": {"trial": {"group": "offer", "bought": "conversion"}},
        },
        "offers": [{"id": "off5", "face_value": 5}],
        "budget": {"amount": 300},
    }
    (folder / "policy.yaml").write_text(yaml.safe_dump(policy), encoding="utf-8")
    return folder / "policy.yaml"


def _rows(rng: np.random.Generator, n: int, *, offered: float) -> pd.DataFrame:
    rows = pd.DataFrame({"user_id": [f"t{offered}-{i}" for i in range(n)]})
    rows["visits"] = rng.poisson(4, n)
    rows["offer"] = np.where(rng.random(n) < offered, "off5", "control")
    treated = rows["offer"] == "off5"
    rows["conversion"] = (rng.random(n) < 0.15 + 0.1 * treated).astype(int)
    return rows.assign(spend=80.0 * rows["conversion"], cost=5.0 * treated * rows["conversion"])


def _trial(policy: Policy) -> Trial:
    source = trials_of(policy.data)
    assert source is not None
    return read_trial(source, policy, None)


def test_logged_propensities_stay_where_another_trial_has_none(policy_file: Path) -> None:
    trial = _trial(load_policy(policy_file))
    assert trial.campaigns is not None
    since = trial.campaigns.rows(trial.campaigns.names.index(SINCE))
    assert {*trial.propensity[since & (trial.arm == 1)]} == {0.1}
    assert {*trial.propensity[since & (trial.arm == 0)]} == {0.9}
    share = float(np.mean(trial.arm[~since] == 1))
    assert trial.propensity[~since & (trial.arm == 1)] == pytest.approx(share)


def test_a_trial_without_a_date_is_older_than_what_was_learned_since(policy_file: Path) -> None:
    campaigns = _trial(load_policy(policy_file)).campaigns
    assert campaigns is not None
    assert campaigns.names == (FIRST, SINCE)


def test_names_of_columns_hold_for_the_trial_that_has_them(policy_file: Path) -> None:
    learned = policy_file.with_name("learned")
    names = load_policy(policy_file).data.columns.trial
    assert {"offer", "conversion"} <= {*open_source(learned, renames=names).names}


def test_a_plan_from_several_trials_verifies(policy_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    allocate(policy_file, options=BudgetOptions(), scores=None, out=run, brief=True)
    report = ie.verify(run)
    assert report.ok, [check for check in report.checks if not check.ok]
    stated = json.loads((run / "manifest.json").read_text())["policy"]["data"]["trial"]
    assert stated == [str(policy_file.with_name(name)) for name in (f"{FIRST}.csv", "learned")]
