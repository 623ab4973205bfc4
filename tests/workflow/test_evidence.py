"""What stands in the report beside the plan: other budgets, simpler ways, fairness, rules."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incentive_engine.config.document.loading import load_policy
from incentive_engine.insight.fairness import matched_difference
from incentive_engine.insight.pages.disclosure import public_rules
from incentive_engine.report.conditions import ColumnTest as Asked

Incentive = Callable[..., "CompletedProcess[str]"]

MANY = """\
version: 1
name: many
offers:
  - {id: small, face_value: 5, min_spend: 49, funder: shop, valid_from: 2026-11-01}
  - {id: large, face_value: 20, funder: shop}
objective:
  weight: [{column: tier, values: {88VIP: 3}}]
eligibility:
  - {offers: [large], where: {tier: [88VIP, gold]}}
holdout: 0.1
fairness: [tier, age]
"""
STOCK = "limits: [{name: stock, sum: issued, offers: [large], at_most: 150}]\n"


def write(folder: Path, text: str, *, n: int = 3_000) -> tuple[Path, Path]:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "user_id": np.arange(n),
            "tier": rng.choice(["88VIP", "gold", "regular"], n, p=[0.1, 0.2, 0.7]),
            "age": rng.integers(18, 80, n),
        }
    )
    frame.loc[:4, "tier"] = "rare"
    for offer, strength in (("small", 0.05), ("large", 0.12)):
        frame[f"conversion__{offer}"] = rng.normal(strength, 0.05, n)
        frame[f"cost__{offer}"] = rng.uniform(1, 40 * strength, n)
        frame[f"spend__{offer}"] = rng.normal(3, 1, n)
    (folder / "policy.yaml").write_text(text, encoding="utf-8")
    frame.to_csv(folder / "scores.csv", index=False)
    return folder / "policy.yaml", folder / "scores.csv"


def embedded(page: str) -> dict[str, Any]:
    found = re.search(r'<script id="response"[^>]*>(.*?)</script>', page)
    assert found is not None
    data: dict[str, Any] = json.loads(found.group(1))
    return data


@pytest.mark.parametrize(("limits", "exact"), [("", True), (STOCK, False)])
def test_money_alone_makes_an_exact_slider_and_further_limits_solved_points(
    incentive: Incentive,
    tmp_path: Path,
    limits: str,
    exact: bool,  # noqa: FBT001
) -> None:
    policy, scores = write(tmp_path, MANY + limits)
    done = incentive("allocate", policy, "--scores", scores, "--budget", "2000", "--out", "run")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    data = embedded(page)
    assert data["exact"] is exact
    certificate = json.loads((tmp_path / "run" / "certificate.json").read_text())
    at_plan = float(np.interp(2_000, data["budget"], data["value"]))
    assert 0.995 * certificate["value"] <= at_plan <= certificate["bound"] * (1 + 1e-6)
    assert (np.diff(data["budget"]) > 0).all()
    assert (np.diff(data["value"]) > 0).all()
    assert "rare" not in page
    assert [group["name"] for group in data["groups"]] in (
        ["88VIP", "gold", "regular"],
        ["gold", "regular", "others"],  # 5 rare users do not stand alone
    )


def test_the_report_speaks_chinese_when_asked(incentive: Incentive, tmp_path: Path) -> None:
    policy, scores = write(tmp_path, MANY)
    words = ("allocate", policy, "--scores", scores, "--budget", "2000", "--lang")
    assert incentive(*words, "zh", "--out", "run").returncode == 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert '<html lang="zh-CN">' in page
    assert "换一个预算" in page
    refused = incentive(*words, "fr", "--out", "other")
    assert refused.returncode == 2
    assert "fr" in refused.stderr


def test_the_report_says_what_the_holdout_gives_up(incentive: Incentive, tmp_path: Path) -> None:
    policy, scores = write(tmp_path, MANY)
    words = ("allocate", policy, "--scores", scores, "--budget", "2000", "--out")
    assert incentive(*words, "run").returncode == 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    found = re.search(r"would add at most ([\d.]+) weighted conversions", page)
    assert found is not None
    policy.write_text(MANY.replace("holdout: 0.1\n", "holdout: 0\n"), encoding="utf-8")
    assert incentive(*words, "all").returncode == 0
    held, everyone = (
        json.loads((tmp_path / run / "certificate.json").read_text())["value"]
        for run in ("run", "all")
    )
    assert everyone - held <= float(found.group(1)) * 1.01  # three digits are shown
    assert everyone - held > 0.8 * float(found.group(1))


def test_the_public_rules_say_what_the_policy_says(tmp_path: Path) -> None:
    file, _ = write(tmp_path, MANY + STOCK)
    rules = public_rules(load_policy(file))
    small, large = rules.offers
    assert (small.min_spend, str(small.valid_from), small.stock) == (
        49.0, "2026-11-01 00:00:00", None,
    )  # fmt: skip
    assert (large.min_spend, large.valid_from, large.stock) == (None, None, 150)
    assert large.tests == (Asked(column="tier", values=("88VIP", "gold")),)
    assert rules.criteria == ("tier",)
    assert rules.holdout == 0.1


def test_the_matched_difference_is_the_mean_over_strata_by_hand() -> None:
    benefit = np.array([5.0, 7.0, 1.0, 3.0, 10.0, 12.0, 4.0, 4.0, 99.0])
    like = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2])
    loyal = np.array([1, 1, 0, 0, 1, 1, 0, 0, 1], dtype=bool)
    found, compared = matched_difference(benefit, like, loyal=loyal, others=~loyal)
    # stratum 0: 6 − 2; stratum 1: 11 − 4; the user of stratum 2 has no like
    assert found.value == pytest.approx((4 + 7) / 2)
    assert compared == pytest.approx(4 / 5)
    assert found.low is not None
    assert found.low < found.value


def test_loyal_members_who_get_the_same_are_not_found_worse_off() -> None:
    worse = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        benefit, like = rng.gamma(2.0, 1.0, 2_000), rng.integers(0, 9, 2_000)
        loyal = rng.random(2_000) < 0.3
        found, _ = matched_difference(benefit, like, loyal=loyal, others=~loyal)
        worse += found.high is not None and found.high < 0
    assert worse <= 15  # 2.5 % of 200 are 5; more than 15 once in twenty thousand runs


def test_loyal_members_who_get_less_are_found_worse_off() -> None:
    rng = np.random.default_rng(1)
    like = rng.integers(0, 9, 5_000)
    loyal = rng.random(5_000) < 0.3
    benefit = rng.gamma(2.0, 1.0, 5_000) + like - 0.3 * loyal
    found, compared = matched_difference(benefit, like, loyal=loyal, others=~loyal)
    assert found.high is not None
    assert found.high < 0
    assert compared == 1.0


def test_nobody_to_compare_with_is_said_and_not_guessed() -> None:
    loyal = np.array([True, True, False, False])
    found, compared = matched_difference(
        np.ones(4), np.array([0, 0, 1, 1]), loyal=loyal, others=~loyal
    )
    assert compared == 0.0
    assert not found.has_interval


def test_a_run_with_a_trial_shows_simpler_ways_and_the_models_quality(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    assert incentive("allocate", policy, "--out", "run").returncode == 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    for words in (
        "tier rules",
        "everyone the same:",
        "conversions by the trial",
        "Can the model be trusted?",
        "Qini per 1,000 users",
        "Net benefit by tier",
        "Rules of the promotion small",
    ):
        assert words in page
    assert len(page.encode()) < 3_000_000
