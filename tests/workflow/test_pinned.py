"""Plans whose bytes are pinned: a change here is a change of what planners get.

The scores are quotients of whole numbers, so that no machine rounds them in another way; what
floats add up to is pinned to nine digits. Whoever changes a plan on purpose writes the new digest
down and says in the changelog why.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

Incentive = Callable[..., subprocess.CompletedProcess[str]]
USERS = 4_000
OFFERS = {"off5": 5, "off10": 10, "off20": 20}
HEAD = "version: 1\nname: pinned\noffers:\n" + "".join(
    f"  - {{id: {offer}, face_value: {face}}}\n" for offer, face in OFFERS.items()
)
POLICIES = {
    "plain": "budget: {amount: 1000}\n",
    "limited": """budget: {amount: 1500}
limits:
  - {name: floor, sum: cost, where: {tier: gold}, at_least: 30%}
  - {name: regions, sum: cost, for_each: region, at_most: 25% of spent}
  - {name: stock, sum: issued, offers: [off20], at_most: 40}
objective: {maximise: conversion, weight: [{column: tier, values: {gold: 3}}]}
holdout: 5%
holdout_strata: [tier]
seed: 3
""",
    "explored": """budget: {amount: 9000, basis: face}
holdout: 10%
explore: 3%
seed: 5
""",
}
PINS = {
    "plain": "ff3c775396e9a0da",
    "limited": "cd1c2a12fa8114cf",
    "explored": "6ef7ef85929fcec8",
    "whatif": "b3c51512dfc2ed12",
}


def whole_numbers(stream: int) -> Any:
    """Return (USERS,) int64 from 0 to 9,999: a multiplicative congruential sequence."""
    state = np.arange(1, USERS + 1, dtype=np.uint64) * np.uint64(2654435761 + 97 * stream)
    state ^= state >> np.uint64(15)
    return ((state * np.uint64(2246822519)) >> np.uint64(13)).astype(np.int64) % 10_000


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """Write scores for a few thousand users."""
    frame = pd.DataFrame({"user_id": np.arange(1, USERS + 1)})
    frame["tier"] = np.where(whole_numbers(0) < 1_000, "gold", "none")
    frame["region"] = np.array(["north", "south", "east", "west", "isles"])[whole_numbers(1) % 5]
    base = whole_numbers(2)
    for place, (offer, face) in enumerate(OFFERS.items(), start=3):
        frame[f"conversion__{offer}"] = (base * (place - 1) + whole_numbers(place)) / 400_000
        frame[f"cost__{offer}"] = face * (2_000 + base + whole_numbers(place + 7)) / 40_000
    frame.to_parquet(tmp_path / "scores.parquet", index=False)
    return tmp_path / "scores.parquet"


def digest(content: object) -> str:
    """Return sixteen hex digits of a content's SHA-256."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def rounded(content: Any) -> Any:
    """Return plain values with nine digits of each float."""
    if isinstance(content, dict):
        return {key: rounded(value) for key, value in content.items() if key != "solver"}
    if isinstance(content, list):
        return [rounded(value) for value in content]
    return float(f"{content:.9g}") if isinstance(content, float) else content


@pytest.mark.parametrize("name", POLICIES)
def test_a_plan_is_the_one_that_it_was(
    name: str, incentive: Incentive, scores: Path, tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text(HEAD + POLICIES[name], encoding="utf-8")
    done = incentive("allocate", "policy.yaml", "--scores", scores, "--out", "run", "--no-report")
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(tmp_path / "run" / "allocation.parquet")
    chosen = rows[["user_id", "offer_id", "reason", "cost_micros"]].astype(object)
    stated = json.loads((tmp_path / "run" / "certificate.json").read_text(encoding="utf-8"))
    # a gap is the difference of numbers that agree to their last digits
    proven = rounded({key: value for key, value in stated.items() if key not in {"gap", "bound"}})
    prices = [limit.pop("price", None) is not None for limit in proven["limits"]]
    slack = [limit.pop("slack", None) is not None for limit in proven["limits"]]
    assert all(slack)
    assert any(prices)
    pinned = digest([chosen.where(chosen.notna(), None).to_numpy().tolist(), proven])
    assert pinned == PINS[name]


def test_a_what_if_is_the_one_that_it_was(
    incentive: Incentive, scores: Path, tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text(HEAD + POLICIES["limited"], encoding="utf-8")
    budgets = ("--budgets", "500,1000,2000")
    done = incentive("whatif", "policy.yaml", "--scores", scores, *budgets, "--out", "compared")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "compared" / "whatif.csv")
    columns = ["variant", "budget", "value", "cost", "treated"]
    few = [[rounded(x) for x in row] for row in table[columns].to_numpy().tolist()]
    assert digest(few) == PINS["whatif"]
