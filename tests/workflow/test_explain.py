import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incentive_engine.insight.evaluation.user_effects import _word

Incentive = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def model(incentive: Incentive, policy: Path, tmp_path: Path) -> Path:
    done = incentive("train", policy, "--out", "model")
    assert done.returncode == 0, done.stderr
    return tmp_path / "model"


def test_the_parts_of_a_users_effect_add_up_to_the_score(
    incentive: Incentive, policy: Path, model: Path, tmp_path: Path
) -> None:
    done = incentive("score", policy, "--model", model, "--out", "scores.parquet")
    assert done.returncode == 0, done.stderr
    scores = pd.read_parquet(tmp_path / "scores.parquet").iloc[7]
    done = incentive("explain", scores["user_id"], policy, "--model", model, "--json")
    assert done.returncode == 0, done.stderr
    for offer in json.loads(done.stdout)["offers"]:
        total = sum(part["adds"] for part in offer["parts"])
        assert total == pytest.approx(offer["effect"], abs=1e-12)
        assert total == pytest.approx(scores[f"conversion__{offer['offer']}"], abs=1e-9)
    text = incentive("explain", scores["user_id"], policy, "--model", model).stdout
    assert "average" in text
    evaluation = json.loads((model / "evaluation.json").read_text())
    assert set(evaluation["drivers"]) == {"off50", "off100", "off200", "vip200"}


def test_a_users_values_read_as_people_write_them() -> None:
    shown = [
        _word(value) for value in (float("nan"), pd.NaT, None, pd.Timestamp("2025-11-11"), 2.5)
    ]
    assert shown == ["missing", "missing", "missing", "2025-11-11", "2.5"]


def test_a_stranger_cannot_be_explained(incentive: Incentive, policy: Path, model: Path) -> None:
    done = incentive("explain", "nobody", policy, "--model", model)
    assert done.returncode == 2
    assert "no user `nobody`" in done.stderr
    assert "expected an id like `U0000001`" in done.stderr
    assert len(done.stderr) < 200


def test_offers_that_the_rules_keep_from_a_user_are_marked(
    incentive: Incentive, policy: Path, model: Path, tmp_path: Path
) -> None:
    done = incentive("score", policy, "--model", model, "--out", "scores.parquet")
    assert done.returncode == 0, done.stderr
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    for member in (True, False):
        user = scores["user_id"][scores["tier"].eq("88VIP").eq(member)].iloc[0]
        text = incentive("explain", user, policy, "--model", model).stdout
        assert "vip200: " in text
        assert (", not eligible" in text) is not member


def test_a_run_says_where_its_users_differ_from_the_trial(
    incentive: Incentive, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    n = 4_000
    arm = rng.integers(0, 2, n)
    log = pd.DataFrame(
        {
            "user_id": np.arange(n),
            "offer": np.array(["control", "small"])[arm],
            "conversion": (rng.random(n) < 0.1 + 0.1 * arm).astype(int),
            "cost": 1.0 * arm,
            "age": rng.normal(40, 10, n),
        }
    )
    log["spend"] = 10.0 * log["conversion"]
    log.to_parquet(tmp_path / "log.parquet", index=False)
    users = pd.DataFrame({"user_id": np.arange(n, 2 * n), "age": rng.normal(60, 10, n)})
    users.to_parquet(tmp_path / "users.parquet", index=False)
    policy = tmp_path / "p.yaml"
    policy.write_text(
        "version: 1\nname: p\ndata: {users: users.parquet, trial: log.parquet}\n"
        "offers: [{id: small, face_value: 1}]\nbudget: {amount: 100}\n",
        encoding="utf-8",
    )
    done = incentive("allocate", policy, "--out", "run", "--json")
    assert done.returncode == 0, done.stderr
    warnings = json.loads(done.stdout)["warnings"]
    assert any(text.startswith("drift: ") and "`age`" in text for text in warnings)


def test_a_trial_that_cannot_teach_is_refused_before_anything_is_fitted(
    incentive: Incentive, tmp_path: Path
) -> None:
    n = 1_000
    log = pd.DataFrame(
        {
            "user_id": np.arange(n),
            "offer": np.where(np.arange(n) % 2, "small", "control"),
            "conversion": 0,
            "spend": 0.0,
            "cost": 0.0,
            "propensity": np.where(np.arange(n) % 2, 0.1, 0.5),
        }
    )
    log.to_parquet(tmp_path / "log.parquet", index=False)
    policy = tmp_path / "p.yaml"
    policy.write_text(
        "version: 1\nname: p\ndata: {trial: log.parquet}\noffers: [{id: small, face_value: 1}]\n",
        encoding="utf-8",
    )
    done = incentive("train", policy, "--out", "model")
    assert done.returncode == 2
    assert "nobody converted" in done.stderr
    assert "stand for 5,000 people" in done.stderr
    assert not (tmp_path / "model").exists()
