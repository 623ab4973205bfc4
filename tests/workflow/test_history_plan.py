"""A plan from an event log: learned, planned, verified and explained in words."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

Incentive = Callable[..., subprocess.CompletedProcess[str]]
POLICY = """
version: 1
name: small everyday
data: {sample: {name: everyday, users: 500, trial_rows: 4000}}
history:
  events: sample
  features:
    - {recency: [order]}
    - {ratio: redeem, to: issue, within: [90d]}
    - {match: category, of: [order], within: [180d]}
offers:
  - {id: food15, face_value: 15, min_spend: 99, categories: [food, pets]}
  - {id: style25, face_value: 25, min_spend: 129, categories: [apparel, beauty]}
  - {id: home20, face_value: 20, min_spend: 119, categories: [home, baby]}
budget: {amount: 300}
"""


def test_a_plan_from_a_log_is_verified_and_explained_in_words(
    incentive: Incentive, tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    for command in (
        ("train", "policy.yaml", "--out", "model"),
        ("score", "policy.yaml", "--model", "model", "--out", "scores.parquet"),
        ("allocate", "policy.yaml", "--scores", "scores.parquet", "--out", "run"),
        ("verify", "run"),
    ):
        done = incentive(*command)
        assert done.returncode == 0, done.stderr
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    user = scores["user_id"][3]
    done = incentive("explain", user, "policy.yaml", "--model", "model", "--json")
    assert done.returncode == 0, done.stderr
    for offer in json.loads(done.stdout)["offers"]:
        total = sum(part["adds"] for part in offer["parts"])
        assert total == pytest.approx(scores[f"conversion__{offer['offer']}"][3], abs=1e-9)
    explain = ("explain", user, "policy.yaml", "--model", "model")
    assert "days since the last order: " in incentive(*explain).stdout
    assert "近 90 天核销与发券之比：" in incentive(*explain, "--lang", "zh").stdout
