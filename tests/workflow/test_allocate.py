import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from incentive_engine.allocation.decisions.decision import decide
from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy, User
from incentive_engine.allocation.decisions.prices import Prices

ROOT = Path(__file__).parents[2]
Incentive = Callable[..., subprocess.CompletedProcess[str]]

SCORED = """\
version: 1
name: scored
offers:
  - {{id: small, face_value: 5}}
  - {{id: large, face_value: 20}}
{more}
"""


def scored_policy(folder: Path, more: str = "") -> Path:
    file = folder / "scored.yaml"
    file.write_text(SCORED.format(more=more), encoding="utf-8")
    return file


def scores(folder: Path, n: int = 6, name: str = "scores.csv") -> Path:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "user_id": [f"u{row}" for row in range(n)],
            "tier": np.where(np.arange(n) % 3 == 0, "88VIP", "regular"),
        }
    )
    for offer, strength in (("small", 0.05), ("large", 0.12)):
        frame[f"conversion__{offer}"] = rng.normal(strength, 0.05, n).round(4)
        frame[f"cost__{offer}"] = rng.uniform(1, 40 * strength, n).round(2)
    file = folder / name
    if name.endswith(".csv"):
        frame.to_csv(file, index=False)
    else:
        frame.to_parquet(file, index=False)
    return file


def test_a_policy_with_a_sample_becomes_a_complete_run_that_verifies(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    done = incentive("allocate", policy, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "allocation.parquet",
        "certificate.json",
        "evaluation.json",
        "frozen_policy.json",
        "manifest.json",
        "policy.yaml",
        "prices.json",
        "report.html",
        "scores.parquet",
    }
    assert incentive("verify", tmp_path / "run").returncode == 0


def test_the_files_of_a_run_decide_on_its_users_as_it_did_but_for_those_it_counts(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    incentive("allocate", policy, "--out", tmp_path / "run")
    run = tmp_path / "run"
    frozen = FrozenPolicy.from_dict(json.loads((run / "frozen_policy.json").read_text("utf-8")))
    prices = Prices.from_dict(json.loads((run / "prices.json").read_text("utf-8")))
    plan = pq.read_table(run / "allocation.parquet").to_pylist()
    rows = pq.read_table(run / "scores.parquet").to_pylist()
    differ = [
        stated["user_id"]
        for stated, row in zip(plan, rows, strict=True)
        if decide(User.from_row(row, frozen), frozen, prices)[:2]
        != (stated["offer_id"], stated["reason"])
    ]
    assert len(differ) == prices.settled < 20


def test_without_a_report_the_plan_is_the_same_and_the_page_is_short(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    for name, more in (("whole", ()), ("brief", ("--no-report",))):
        done = incentive("allocate", policy, "--out", tmp_path / name, *more)
        assert done.returncode == 0, done.stderr
    for file in ("allocation.parquet", "certificate.json"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "brief" / file).read_bytes()
    sizes = [(tmp_path / name / "report.html").stat().st_size for name in ("whole", "brief")]
    assert sizes[1] < sizes[0]
    assert 'id="slider"' not in (tmp_path / "brief" / "report.html").read_text("utf-8")
    assert incentive("verify", tmp_path / "brief").returncode == 0
    seconds = json.loads((tmp_path / "brief" / "manifest.json").read_text())["seconds"]
    assert [*seconds][-6:] == [
        "state the problem", "ask the trial for the cost", "solve", "value and compare",
        "draw the page", "write",
    ]  # fmt: skip


def test_the_gain_stands_beside_the_sum_of_the_scores_with_an_interval(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    done = incentive("allocate", policy, "--out", tmp_path / "run", "--json")
    summary = json.loads(done.stdout)
    gain = summary["gain"]["conversions"]
    assert gain["low"] < gain["estimate"] < gain["high"]
    plan = pd.read_parquet(tmp_path / "run" / "allocation.parquet")
    assert summary["conversions_by_scores"] == pytest.approx(plan["conversion"].sum())


def test_the_same_inputs_give_the_same_bytes(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    plans = []
    for name in ("one", "two"):
        assert incentive("allocate", policy, "--out", tmp_path / name).returncode == 0
        plans.append((tmp_path / name / "allocation.parquet").read_bytes())
    assert plans[0] == plans[1]


def test_a_second_budget_takes_the_trained_model_and_the_scores_as_they_are(
    incentive: Incentive, policy: Path, tmp_path: Path, cache: Path
) -> None:
    assert incentive("allocate", policy, "--out", tmp_path / "one").returncode == 0
    kept = {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()}
    done = incentive("allocate", policy, "--budget", "2k", "--out", tmp_path / "two")
    assert done.returncode == 0, done.stderr
    after = {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()}
    assert after == kept


def test_a_changed_seed_trains_anew(
    incentive: Incentive, policy: Path, tmp_path: Path, cache: Path
) -> None:
    assert incentive("allocate", policy, "--out", tmp_path / "one").returncode == 0
    before = set(cache.rglob("*.parquet"))
    policy.write_text(policy.read_text().replace("seed: 5", "seed: 6"), encoding="utf-8")
    assert incentive("allocate", policy, "--out", tmp_path / "two").returncode == 0
    assert set(cache.rglob("*.parquet")) > before


def test_six_users_get_what_brute_force_gives_them(incentive: Incentive, tmp_path: Path) -> None:
    file = scores(tmp_path)
    done = incentive(
        "allocate", scored_policy(tmp_path), "--scores", file, "--budget", "8", "--out", "run"
    )
    assert done.returncode == 0, done.stderr
    frame = pd.read_csv(file)
    value = frame[["conversion__small", "conversion__large"]].to_numpy()
    cost = np.rint(frame[["cost__small", "cost__large"]].to_numpy() * 1e6)  # two decimals
    best = max(
        sum(value[user, offer] for user, offer in enumerate(plan) if offer >= 0)
        for plan in itertools.product((-1, 0, 1), repeat=len(frame))
        if sum(cost[user, offer] for user, offer in enumerate(plan) if offer >= 0) <= 8e6
    )
    certificate = json.loads((tmp_path / "run" / "certificate.json").read_text())
    assert certificate["value"] == pytest.approx(best)
    assert certificate["bound"] >= best - 1e-12


def test_a_budget_of_zero_is_a_valid_plan_for_nobody(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    done = incentive("allocate", policy, "--budget", "0", "--out", "run")
    assert done.returncode == 0, done.stderr
    plan = pd.read_parquet(tmp_path / "run" / "allocation.parquet")
    assert plan["offer_id"].isna().all()
    assert incentive("verify", "run").returncode == 0


def test_the_holdout_never_gets_an_offer_and_is_there_in_every_tier(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    assert incentive("allocate", policy, "--out", "run").returncode == 0
    plan = pd.read_parquet(tmp_path / "run" / "allocation.parquet")
    tier = pd.read_parquet(tmp_path / "run" / "scores.parquet")["tier"]
    held = plan["reason"] == "holdout"
    assert plan.loc[held, "offer_id"].isna().all()
    members = tier.value_counts()
    assert (held.groupby(tier).sum()[members.index] == (members * 0.05).round()).all()


def test_without_a_holdout_the_planner_is_warned(incentive: Incentive, tmp_path: Path) -> None:
    file = scores(tmp_path)
    done = incentive("allocate", scored_policy(tmp_path), "--scores", file, "--budget", "8")
    assert "warning: No holdout" in done.stdout


@pytest.mark.parametrize("name", ["scores.csv", "scores.parquet"])
def test_scores_of_a_planners_own_need_no_trial(
    incentive: Incentive, tmp_path: Path, name: str
) -> None:
    file = scores(tmp_path, n=300, name=name)
    done = incentive(
        "allocate", scored_policy(tmp_path), "--scores", file, "--budget", "100", "--out", "run"
    )
    assert done.returncode == 0, done.stderr
    assert "no trial to check them by" in done.stdout
    assert incentive("verify", "run").returncode == 0


def test_limits_that_cannot_all_hold_are_named_with_the_cheapest_relaxation(
    incentive: Incentive, tmp_path: Path
) -> None:
    policy = scored_policy(
        tmp_path,
        "limits:\n"
        "  - {name: member floor, sum: issued, where: {tier: 88VIP}, at_least: 2}\n"
        "  - {name: idle, sum: issued, at_most: 300}\n",
    )
    done = incentive(
        "allocate", policy, "--scores", scores(tmp_path), "--budget", "0.5", "--out", "run"
    )
    assert done.returncode == 1
    assert "member floor" in done.stderr
    assert "budget" in done.stderr
    assert "idle" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_directory_that_exists_is_left_as_it_is(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("keep")
    done = incentive("allocate", policy, "--out", "run")
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("amount", ["-5", "lots", "1e999", "5%"])
def test_an_amount_that_is_none_is_refused(
    incentive: Incentive, policy: Path, amount: str
) -> None:
    done = incentive("allocate", policy, f"--budget={amount}", "--out", "run")
    assert done.returncode == 2
    assert "budget: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cost_of_whole_cents_takes_just_that_of_a_budget_of_whole_cents(
    incentive: Incentive, tmp_path: Path
) -> None:
    pd.DataFrame(
        {
            "user_id": ["a"],
            "conversion__small": [0.1],
            "cost__small": [4.03],
            "conversion__large": [0.2],
            "cost__large": [8.05],
        }
    ).to_csv(tmp_path / "scores.csv", index=False)
    for amount, offer in (("4.02", None), ("4.03", "small"), ("8.05", "large")):
        words = ("--scores", "scores.csv", "--budget", amount, "--out", f"run-{amount}")
        assert incentive("allocate", scored_policy(tmp_path), *words).returncode == 0
        plan = pd.read_parquet(tmp_path / f"run-{amount}" / "allocation.parquet")
        assert plan["offer_id"].isna().all() if offer is None else plan["offer_id"].eq(offer).all()
        assert plan["cost_micros"].sum() == (0 if offer is None else round(float(amount) * 1e6))
        assert incentive("verify", f"run-{amount}").returncode == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_while_it_writes_is_absent(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    scored_policy(tmp_path)
    scores(tmp_path, n=60_000, name="scores.parquet")
    words = ["allocate", "scored.yaml", "--scores", "scores.parquet", "--budget", "9k"]
    started = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(ROOT / "cli.py"), *words, "--out", "new/run"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while started.poll() is None and not (tmp_path / "new").exists():
        time.sleep(0.002)
    started.send_signal(number)
    _, errors = started.communicate(timeout=120)
    assert b"Traceback" not in errors
    complete = (tmp_path / "new" / "run" / "manifest.json").exists()
    assert (started.returncode, complete) in {(code, False), (0, True)}
    assert complete or not (tmp_path / "new").exists()
