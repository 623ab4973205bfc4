"""The slider's figures against the files of the run, reckoned anew without the engine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

Incentive = Callable[..., "CompletedProcess[str]"]

POLICY = """\
version: 1
name: alone
offers:
  - {id: small, face_value: 5}
  - {id: large, face_value: 20}
objective:
  weight: [{column: tier, values: {88VIP: 3}}]
eligibility:
  - {offers: [large], where: {tier: [88VIP, gold]}}
budget: {amount: 2000}
holdout: 0.1
"""
WEIGHT = {"88VIP": 3.0}


@pytest.fixture
def run(incentive: Incentive, tmp_path: Path) -> Path:
    rng, n = np.random.default_rng(3), 2_500
    frame = pd.DataFrame(
        {
            "user_id": np.arange(n),
            "tier": rng.choice(["88VIP", "gold", "regular"], n, p=[0.1, 0.2, 0.7]),
        }
    )
    for offer, strength in (("small", 0.05), ("large", 0.12)):
        frame[f"conversion__{offer}"] = rng.normal(strength, 0.06, n)
        frame[f"cost__{offer}"] = rng.uniform(0.5, 40 * strength, n)
        frame[f"spend__{offer}"] = rng.normal(3, 1, n)
    frame.to_parquet(tmp_path / "scores.parquet")
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    done = incentive("allocate", "policy.yaml", "--scores", "scores.parquet", "--out", "run")
    assert done.returncode == 0, done.stderr
    return tmp_path / "run"


def steps(run: Path) -> pd.DataFrame:
    """Return every user's efficient steps, the best per money first.

    A user may stay without, or take an offer; what lies below the line between two others is
    never taken. Each row is one step up that line: what it adds.
    """
    scores = pq.read_table(run / "scores.parquet").to_pandas()
    allocation = pq.read_table(run / "allocation.parquet").to_pandas()
    held = set(allocation.loc[allocation["reason"] == "holdout", "user_id"])
    rows = []
    for user in scores.to_dict("records"):
        if user["user_id"] in held:
            continue
        points = [(0.0, 0.0, 0.0, 0)]
        for offer in ("small", "large"):
            if offer == "large" and user["tier"] == "regular":
                continue
            value = WEIGHT.get(user["tier"], 1.0) * user[f"conversion__{offer}"]
            points.append((user[f"cost__{offer}"], value, user[f"spend__{offer}"], 1))
        at = points[0]
        while better := [p for p in points if p[0] > at[0] and p[1] > at[1]]:
            cost, value, spend, treated = at
            at = max(better, key=lambda p: ((p[1] - value) / (p[0] - cost), p[0]))
            rows.append((at[0] - cost, at[1] - value, at[2] - spend, at[3] - treated))
    found = pd.DataFrame(rows, columns=["cost", "value", "spend", "treated"])
    rate = found["value"] / found["cost"]
    return found.loc[rate.sort_values(ascending=False, kind="stable").index]


def page_of(run: Path) -> tuple[dict[str, Any], float, float]:
    """Return the data behind the slider, the width of a bin that the page states, its error."""
    text = (run / "report.html").read_text(encoding="utf-8")
    data = re.search(r'<script id="response"[^>]*>(.*?)</script>', text)
    stated = re.search(r"more than ([\d.,]+) CNY apart.*?understated by at most ([\d.]+) %", text)
    assert data is not None
    assert stated is not None
    width, error = (float(number.replace(",", "")) for number in stated.groups())
    return json.loads(data.group(1)), width, error / 100


def test_value_spend_and_users_at_any_budget_are_those_of_the_scores(run: Path) -> None:
    data, width, error = page_of(run)
    taken = steps(run).cumsum()
    money = np.concatenate([[0.0], taken["cost"]])
    exact = {name: np.concatenate([[0.0], taken[name]]) for name in ("value", "spend", "treated")}
    assert max(np.diff(data["budget"])) <= width * 1.005
    assert data["budget"][-1] == pytest.approx(money[-1], rel=1e-5)
    cost = sum(np.array(group["cost"]) for group in data["groups"])
    assert cost == pytest.approx(np.array(data["budget"]), rel=2e-6)
    shown = {name: sum(np.array(g[name]) for g in data["groups"]) for name in ("spend", "treated")}
    for budget in np.linspace(0.01, 0.99, 23) * money[-1]:
        value = float(np.interp(budget, data["budget"], data["value"]))
        truth = float(np.interp(budget, money, exact["value"]))
        assert truth - 1.01 * error * data["value"][-1] - 1e-4 <= value <= truth * (1 + 1e-5)
        for name, series in shown.items():
            here = float(np.interp(budget, data["budget"], series))
            ends = np.interp([budget - width, budget + width], money, exact[name])
            assert min(ends) * (1 - 1e-5) - 1 <= here <= max(ends) * (1 + 1e-5) + 1


def test_the_plan_itself_lies_on_the_curve(run: Path) -> None:
    data, _, _ = page_of(run)
    certificate = json.loads((run / "certificate.json").read_text(encoding="utf-8"))
    taken = steps(run).cumsum()
    truth = float(np.interp(2_000, taken["cost"], taken["value"]))
    assert certificate["value"] <= truth * (1 + 1e-9)
    assert certificate["value"] == pytest.approx(truth, rel=1e-4)
    assert float(np.interp(2_000, data["budget"], data["value"])) <= truth * (1 + 1e-6)
