"""A campaign measured after it is over, as a planner does it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incentive_engine.errors import DataError
from incentive_engine.measurement.figures import Promise
from incentive_engine.stats.intervals import interval
from incentive_engine.workflow.results.measure_campaign import measure

Incentive = Callable[..., subprocess.CompletedProcess[str]]
USERS = 30_000
EFFECT = {"small": 0.05, "large": 0.12}
POLICY = """\
version: 1
name: over
offers:
  - {id: small, face_value: 5}
  - {id: large, face_value: 20}
objective:
  weight: [{column: tier, values: {88VIP: 3}}]
limits: [{name: stock, sum: issued, offers: [large], at_most: 3000}]
budget: {amount: 30000}
holdout: 0.2
holdout_strata: [tier]
seed: 1
"""


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    member = rng.random(USERS) < 0.2
    frame = pd.DataFrame(
        {"user_id": np.arange(USERS), "tier": np.where(member, "88VIP", "regular")}
    )
    for offer, effect in EFFECT.items():
        frame[f"conversion__{offer}"] = effect * rng.uniform(0.2, 1.8, USERS)
        frame[f"spend__{offer}"] = 100 * frame[f"conversion__{offer}"]
        frame[f"cost__{offer}"] = rng.uniform(1, 3, USERS) * (1 if offer == "small" else 4)
    return frame


@pytest.fixture
def run(incentive: Incentive, tmp_path: Path, scores: pd.DataFrame) -> Path:
    (tmp_path / "over.yaml").write_text(POLICY, encoding="utf-8")
    scores.to_parquet(tmp_path / "scores.parquet", index=False)
    done = incentive("allocate", "over.yaml", "--scores", "scores.parquet", "--out", "run")
    assert done.returncode == 0, done.stderr
    return tmp_path / "run"


def happened(run: Path, scores: pd.DataFrame, *, share: float = 1.0) -> pd.DataFrame:
    """Return what users did where offers worked by a share of their scores."""
    rng = np.random.default_rng(0)
    plan = pd.read_parquet(run / "allocation.parquet")
    base = np.where(scores["tier"] == "88VIP", 0.2, 0.05)
    bought = rng.random(len(plan)) < base + share * plan["conversion"].fillna(0)
    costs = np.where(bought, 5 * plan["cost"].fillna(0), 0.0)
    return pd.DataFrame(
        {
            "user_id": plan["user_id"],
            "offer_id": plan["offer_id"],
            "conversion": bought.astype(int),
            "spend": 100.0 * bought,
            "cost": costs,
        }
    )


def test_what_came_is_measured_with_an_interval_that_holds_it(
    run: Path, scores: pd.DataFrame, tmp_path: Path
) -> None:
    plan = pd.read_parquet(run / "allocation.parquet")
    stated = plan["conversion"].sum()
    for share, verdict in ((1.0, "as stated, within chance"), (0.0, "less than stated")):
        happened(run, scores, share=share).to_parquet(tmp_path / "did.parquet", index=False)
        found = measure(run, tmp_path / "did.parquet")
        measured = found.conversions.measured
        assert measured is not None
        assert measured.low <= share * stated <= measured.high
        assert measured.standard_error < 0.2 * stated
        assert str(found.conversions.verdict).startswith(verdict)
        assert found.conversions.scores == pytest.approx(stated)
        assert found.by_rule
        assert found.spend is not None
        assert found.spend.measured is not None
        assert found.spend.measured.value == pytest.approx(100 * measured.value)
    assert found.held == int((plan["reason"] == "holdout").sum())


def test_those_who_get_nothing_either_way_add_no_noise(
    run: Path, scores: pd.DataFrame, tmp_path: Path
) -> None:
    happened(run, scores).to_parquet(tmp_path / "did.parquet", index=False)
    found = measure(run, tmp_path / "did.parquet")
    treated = int(pd.read_parquet(run / "allocation.parquet")["offer_id"].notna().sum())
    assert abs(found.compared - treated) < 0.02 * treated
    assert treated < 0.7 * (found.users - found.held)


def test_the_parts_add_up_to_the_difference(
    run: Path, scores: pd.DataFrame, tmp_path: Path
) -> None:
    did = happened(run, scores)
    lost = did["offer_id"].eq("large") & (did.index % 3 == 0)
    did.loc[lost, "offer_id"] = None
    did.loc[did["offer_id"].eq("small"), "cost"] *= 0.5
    did.to_csv(tmp_path / "did.csv", index=False)
    found = measure(run, tmp_path / "did.csv")
    split = found.split
    assert split is not None
    plan = pd.read_parquet(run / "allocation.parquet")
    assert split.execution == pytest.approx(-plan.loc[lost, "conversion"].sum())
    assert split.optimism is None  # no trial said anything
    assert split.redemption is not None
    small = plan["offer_id"].eq("small")
    gained = plan.loc[small, "conversion"].sum()
    ratio = did.loc[small, "cost"].sum() / plan.loc[small, "cost"].sum()
    large = plan["offer_id"].eq("large") & ~lost
    other = did.loc[large, "cost"].sum() / plan.loc[large, "cost"].sum()
    expected = (ratio - 1) * gained + (other - 1) * plan.loc[large, "conversion"].sum()
    assert split.redemption == pytest.approx(expected, rel=1e-4)
    assert split.execution is not None
    parts = split.scores + split.execution + split.redemption + split.rest.value
    assert parts == pytest.approx(split.measured)
    assert split.rules is not None
    assert split.rules < 0  # the stock and the weights cost conversions
    rows = {row.offer: row for row in found.offers}
    assert rows["large"].arrived == rows["large"].planned - int(lost.sum())
    assert rows["small"].redeemed == pytest.approx(did.loc[small, "cost"].sum())


def test_a_log_of_buyers_alone_is_enough(run: Path, scores: pd.DataFrame, tmp_path: Path) -> None:
    whole = happened(run, scores)
    whole.to_csv(tmp_path / "whole.csv", index=False)
    buyers = whole[whole["conversion"] == 1]
    buyers.to_csv(tmp_path / "buyers.csv", index=False)
    one, two = (measure(run, tmp_path / f"{name}.csv") for name in ("whole", "buyers"))
    assert two.named == len(buyers)
    assert replace(two, named=one.named) == one


def test_a_log_without_the_holdout_is_refused(
    incentive: Incentive, run: Path, scores: pd.DataFrame, tmp_path: Path
) -> None:
    did = happened(run, scores)
    held = pd.read_parquet(run / "allocation.parquet")["reason"] == "holdout"
    did[~held].to_csv(tmp_path / "did.csv", index=False)
    done = incentive("measure", run, "--outcomes", "did.csv")
    assert done.returncode == 2
    assert done.stderr == (
        f"did.csv: names none of the {held.sum():,} users that were held out, expected what they "
        "did, too: the campaign is measured against them; "
        "add their rows\n"
    )


def test_a_plan_of_other_users_than_its_scores_is_refused(
    run: Path, scores: pd.DataFrame, tmp_path: Path
) -> None:
    happened(run, scores).to_csv(tmp_path / "did.csv", index=False)
    pd.read_parquet(run / "scores.parquet")[::-1].to_parquet(run / "scores.parquet", index=False)
    with pytest.raises(DataError, match="has other users than scores"):
        measure(run, tmp_path / "did.csv")


def test_what_spoils_the_comparison_is_said(
    incentive: Incentive, run: Path, scores: pd.DataFrame, tmp_path: Path
) -> None:
    did = happened(run, scores)
    held = (pd.read_parquet(run / "allocation.parquet")["reason"] == "holdout").to_numpy()
    did.loc[np.flatnonzero(held)[:7], "offer_id"] = "small"
    stranger = {"user_id": [10**6], "conversion": [1], "spend": [9.0], "cost": [0.0]}
    did = pd.concat([did[~held], did[held][:60], pd.DataFrame(stranger)])
    did.to_csv(tmp_path / "did.csv", index=False)
    done = incentive("measure", run, "--outcomes", "did.csv")
    assert done.returncode == 0, done.stderr
    assert "warning: 7 users that were held out got an offer" in done.stdout
    assert "warning: outcomes name 1.0% of the holdout and 100.0% of the others" in done.stdout
    assert "warning: outcomes: 1 rows are about users that the run does not have" in done.stdout


def test_without_a_holdout_only_money_and_arrivals_are_known(
    incentive: Incentive, scores: pd.DataFrame, tmp_path: Path
) -> None:
    scores.to_parquet(tmp_path / "scores.parquet", index=False)
    bare = POLICY.replace("holdout: 0.2", "holdout: 0")
    (tmp_path / "bare.yaml").write_text(bare, encoding="utf-8")
    words = ("allocate", "bare.yaml", "--scores", "scores.parquet", "--out", "bare")
    assert incentive(*words).returncode == 0
    happened(tmp_path / "bare", scores).to_csv(tmp_path / "did.csv", index=False)
    done = incentive("measure", "bare", "--outcomes", "did.csv", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["conversions"]["measured"] is None
    assert found["split"] is None
    assert found["redeemed"] > 0
    assert "no holdout" in found["warnings"][0]


def test_users_who_are_tied_are_all_compared(incentive: Incentive, tmp_path: Path) -> None:
    frame = pd.DataFrame({"user_id": np.arange(4_000), "tier": "regular"})
    for offer in EFFECT:
        frame[f"conversion__{offer}"], frame[f"cost__{offer}"] = 0.1, 2.0
    frame.to_parquet(tmp_path / "scores.parquet", index=False)
    (tmp_path / "over.yaml").write_text(POLICY.replace("30000", "3000"), encoding="utf-8")
    done = incentive("allocate", "over.yaml", "--scores", "scores.parquet", "--out", "run")
    assert done.returncode == 0, done.stderr
    frame[["user_id"]].assign(conversion=0).to_csv(tmp_path / "did.csv", index=False)
    found = measure(tmp_path / "run", tmp_path / "did.csv")
    assert not found.by_rule
    assert found.compared == found.users - found.held
    assert any("users are tied" in str(warning) for warning in found.warnings)


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (interval(90.0, 20.0), "as stated, within chance"),
        (interval(10.0, 20.0), "less than stated, beyond chance"),
        (interval(190.0, 20.0), "more than stated, beyond chance"),
        (None, "None"),
    ],
)
def test_the_verdict_counts_the_errors_of_both(measured: object, verdict: str) -> None:
    promise = Promise(scores=500.0, trial=interval(100.0, 30.0), measured=measured)  # type: ignore[arg-type]
    assert str(promise.verdict) == verdict


@pytest.mark.slow
def test_a_sample_campaign_has_outcomes_to_be_measured_by(
    incentive: Incentive, policy: Path
) -> None:
    planned = incentive("allocate", policy, "--budget", "3k", "--out", "run")
    assert planned.returncode == 0, planned.stderr
    written = incentive("sample", "double11", "--after", "run", "--out", "after")
    assert written.returncode == 0, written.stderr
    done = incentive("measure", "run", "--outcomes", "after/outcomes.csv")
    assert done.returncode == 0, done.stderr
    assert "against the holdout (95 % interval)" in done.stdout
    assert "what the trial says beyond the scores" in done.stdout
    refused = incentive("sample", "winback", "--after", "run", "--out", "other")
    assert refused.returncode == 2
    assert "is no run for the users of the sample `winback`" in refused.stderr
