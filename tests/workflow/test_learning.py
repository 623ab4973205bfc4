import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

Incentive = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def model(incentive: Incentive, policy: Path, tmp_path: Path) -> Path:
    done = incentive("train", policy, "--out", "model")
    assert done.returncode == 0, done.stderr
    return tmp_path / "model"


def test_train_score_allocate_by_hand_is_allocate_in_one_but_for_costs_by_the_trial(
    incentive: Incentive, policy: Path, model: Path, tmp_path: Path
) -> None:
    for words in (
        ("score", policy, "--model", model, "--out", "scores.parquet"),
        ("allocate", policy, "--out", "in-one"),
        ("allocate", policy, "--scores", "in-one/scores.parquet", "--out", "by-hand"),
    ):
        done = incentive(*words)
        assert done.returncode == 0, done.stderr
    plans = [
        (tmp_path / name / "allocation.parquet").read_bytes() for name in ("by-hand", "in-one")
    ]
    assert plans[0] == plans[1]
    # scores of one's own have no trial that says what a plan of theirs costs
    scored = pd.read_parquet(tmp_path / "scores.parquet").set_index("user_id")
    used = pd.read_parquet(tmp_path / "in-one" / "scores.parquet").set_index("user_id")
    certificate = json.loads((tmp_path / "in-one" / "certificate.json").read_text())
    correction = certificate["budget"]["evaluated"]["correction"]
    for column in scored.filter(like="__").columns:
        times = correction if column.startswith("cost__") else 1.0
        np.testing.assert_allclose(used[column], scored[column] * times, atol=1e-6)


def test_evaluate_says_how_good_a_model_is_and_writes_it(
    incentive: Incentive, policy: Path, model: Path, tmp_path: Path
) -> None:
    done = incentive("evaluate", policy, "--model", model, "--out", "quality")
    assert done.returncode == 0, done.stderr
    assert "over constant effects" in done.stdout
    content = json.loads((tmp_path / "quality" / "evaluation.json").read_text())
    assert [offer["offer"] for offer in content["offers"]] == [
        "off50",
        "off100",
        "off200",
        "vip200",
    ]


def test_a_model_is_refused_when_one_of_its_files_was_changed(
    incentive: Incentive, policy: Path, model: Path
) -> None:
    boosted = next(model.glob("*.txt"))
    boosted.write_text(boosted.read_text().replace("leaf_value=", "leaf_value=9"))
    done = incentive("score", policy, "--model", model, "--out", "scores.parquet")
    assert done.returncode == 2
    assert boosted.name in done.stderr


def test_a_place_that_is_taken_is_refused_before_the_work(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    for words in (
        ("train", policy),
        ("evaluate", policy, "--model", "none"),
        ("evaluate", policy, "--model", "none", "--against", "none"),
        ("evaluate", policy, "--run", "none"),
    ):
        done = incentive(*words, "--out", "taken")
        assert done.returncode == 2
        assert done.stderr.startswith("--out taken: exists already")


def test_evaluate_needs_something_to_evaluate(incentive: Incentive, policy: Path) -> None:
    done = incentive("evaluate", policy, "--out", "quality")
    assert done.returncode == 2
    assert "--model" in done.stderr


def test_evaluate_refuses_options_that_it_would_not_heed(incentive: Incentive) -> None:
    plan = ("--allocation", "plan.csv", "--trial", "log.csv")
    for options, message in (
        (("--model", "m", "--trial", "log.csv"), "--trial: values plans"),
        (("--model", "m", "--against", "n", *plan), "--against: compares models, not plans"),
        (("--against", "n"), "--against: compares models, not plans"),
        (("--run", "run", "--allocation", "plan.csv"), "two plans are named"),
    ):
        done = incentive("evaluate", *options, "--out", "quality")
        assert done.returncode == 2
        assert message in done.stderr


def trial_among_users(tmp_path: Path, n: int = 4000) -> Path:
    """Log a trial whose large offer adds 0.2 to a conversion of 0.1, the small one nothing."""
    rng = np.random.default_rng(1)
    arm = rng.integers(0, 3, n)
    frame = pd.DataFrame(
        {
            "user_id": [f"u{row}" for row in range(n)],
            "offer": np.array(["control", "small", "large"])[arm],
            "conversion": (rng.random(n) < 0.1 + 0.2 * (arm == 2)).astype(int),
            "cost": np.array([0.0, 1.0, 2.0])[arm],
            "propensity": 1 / 3,
        }
    )
    frame["spend"] = 10.0 * frame["conversion"]
    frame.to_parquet(tmp_path / "log.parquet", index=False)
    return tmp_path / "log.parquet"


def test_a_plan_is_valued_by_the_arms_that_its_users_got(
    incentive: Incentive, tmp_path: Path
) -> None:
    log = trial_among_users(tmp_path)
    n = 4000
    scores = pd.DataFrame({"user_id": [f"u{row}" for row in range(n)]})
    for offer, effect, cost in (("small", 0.01, 1.0), ("large", 0.2, 2.0)):
        scores[f"conversion__{offer}"], scores[f"cost__{offer}"] = effect, cost
    scores.to_parquet(tmp_path / "scores.parquet", index=False)
    policy = tmp_path / "p.yaml"
    policy.write_text(
        "version: 1\nname: p\noffers: [{id: small, face_value: 1}, {id: large, face_value: 2}]\n",
        encoding="utf-8",
    )
    done = incentive(
        "allocate", policy, "--scores", "scores.parquet", "--budget", 2 * n, "--out", "run"
    )
    assert done.returncode == 0, done.stderr
    done = incentive("evaluate", policy, "--run", "run", "--trial", log, "--out", "value")
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "value" / "evaluation.json").read_text())
    gain = content["gain_against_nobody"]["the plan"]["conversion"]
    assert gain["low"] < 0.2 < gain["high"]
    assert content["plan_minus"]["everybody large"]["conversion"]["estimate"] == 0
    over_small = content["plan_minus"]["everybody small"]["conversion"]
    assert over_small["low"] > 0


def test_a_plan_may_name_control_and_leave_users_out(incentive: Incentive, tmp_path: Path) -> None:
    log = trial_among_users(tmp_path)
    policy = tmp_path / "p.yaml"
    policy.write_text(
        "version: 1\nname: p\noffers: [{id: small, face_value: 1}, {id: large, face_value: 2}]\n",
        encoding="utf-8",
    )
    users = [f"u{row}" for row in range(1_000)]
    found = []
    for nothing in ("control", ""):
        plan = pd.DataFrame({"user_id": users, "offer_id": ["large", nothing] * 500})
        plan.to_csv(tmp_path / "plan.csv", index=False)
        out = f"value {nothing}"
        done = incentive(
            "evaluate", policy, "--allocation", "plan.csv", "--trial", log, "--out", out
        )
        assert done.returncode == 0, done.stderr
        assert "3,000 rows of the trial are not in the plan" in done.stdout
        found.append(json.loads((tmp_path / out / "evaluation.json").read_text()))
    assert found[0] == found[1]


def test_a_plan_is_valued_on_a_trial_whose_features_stand_with_the_users(
    incentive: Incentive, tmp_path: Path
) -> None:
    log = pd.read_parquet(trial_among_users(tmp_path))
    users = log[["user_id"]].assign(tier="silver", age=np.arange(len(log)) % 50)
    users.to_parquet(tmp_path / "users.parquet")
    log[["user_id"]].assign(offer_id="large").to_csv(tmp_path / "plan.csv", index=False)
    policy = tmp_path / "p.yaml"
    policy.write_text(
        "version: 1\nname: p\ndata: {users: users.parquet, trial: log.parquet}\n"
        "offers: [{id: small, face_value: 1}, {id: large, face_value: 2}]\n"
        "eligibility: [{offers: [small], where: {tier: silver}}]\n",
        encoding="utf-8",
    )
    done = incentive("evaluate", policy, "--allocation", "plan.csv", "--out", "value")
    assert done.returncode == 0, done.stderr


def test_a_trial_of_other_users_cannot_value_a_plan(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    assert incentive("sample", "double11", "--out", "files").returncode == 0
    assert incentive("allocate", policy, "--out", "run").returncode == 0
    trial = tmp_path / "files" / "trial.parquet"
    done = incentive("evaluate", policy, "--run", "run", "--trial", trial, "--out", "value")
    assert done.returncode == 2
    assert "none of the trial's users is in the plan" in done.stderr


def test_a_larger_holdout_shows_smaller_effects_and_costs_more(
    incentive: Incentive, policy: Path
) -> None:
    done = incentive("power", policy, "--holdout", "0.05,20%", "--trial", "10k", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    small, large = found["holdouts"]
    assert large["detectable"] < small["detectable"]
    assert large["not_won"] > small["not_won"] > 0
    trial = found["trials"][0]
    assert trial["per_arm"] == 2_000
    assert trial["not_won"] > 0
    assert trial["cost"] > 0
    assert "shows from" in incentive("power", policy).stdout


def test_a_trial_and_a_holdout_that_show_nothing_say_so(
    incentive: Incentive, policy: Path
) -> None:
    options = ("power", policy, "--holdout", "0.00001", "--trial", "10")
    found = json.loads(incentive(*options, "--json").stdout)
    assert found["holdouts"][0]["detectable"] is None
    assert found["trials"][0]["detectable"] is None
    assert incentive(*options).stdout.count("nothing") == 2


def test_power_refuses_what_is_no_share(incentive: Incentive, policy: Path) -> None:
    done = incentive("power", policy, "--holdout", "0.05,2", "--trial", "3")
    assert done.returncode == 2
    assert "--holdout: 2 is no share" in done.stderr
    assert "--trial: 3 rows are too few" in done.stderr


def test_an_evaluation_stands_in_tables_too(
    incentive: Incentive, policy: Path, model: Path, tmp_path: Path
) -> None:
    done = incentive("evaluate", policy, "--model", model, "--out", "quality")
    assert done.returncode == 0, done.stderr
    assert "paid ÷ predicted" in done.stdout
    curve = pd.read_csv(tmp_path / "quality" / "curve.csv")
    assert curve["budget"].is_monotonic_increasing
    assert (curve["model_low"] <= curve["model"]).all()
    offers = pd.read_csv(tmp_path / "quality" / "offers.csv")
    assert offers["cost_ratio"].between(0.5, 2).all()
    groups = pd.read_csv(tmp_path / "quality" / "calibration.csv")
    assert set(groups["of"]) == {"effect", "cost"}
    checks = pd.read_csv(tmp_path / "quality" / "checks.csv")
    assert {"sample ratio", "balance", "leaks", "overlap"} <= set(checks["check"])


def test_a_model_is_compared_with_another_of_its_trial(
    incentive: Incentive, policy: Path, model: Path, tmp_path: Path
) -> None:
    words = ("--model", model, "--against", model, "--out", "paired")
    done = incentive("evaluate", policy, *words)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "paired" / "evaluation.json").read_text())
    assert {plan["difference"]["estimate"] for plan in content["plans"]} == {0}


def test_any_file_of_offers_is_valued_by_the_arms_that_its_users_got(
    incentive: Incentive, tmp_path: Path
) -> None:
    log = trial_among_users(tmp_path)
    policy = tmp_path / "p.yaml"
    policy.write_text(
        "version: 1\nname: p\noffers: [{id: small, face_value: 1}, {id: large, face_value: 2}]\n",
        encoding="utf-8",
    )
    plan = pd.DataFrame({"user_id": [f"u{row}" for row in range(4000)], "offer_id": "large"})
    plan.loc[::2, "offer_id"] = None
    plan.to_csv(tmp_path / "plan.csv", index=False)
    words = ("--allocation", "plan.csv", "--trial", log)
    done = incentive("evaluate", policy, *words, "--out", "value")
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "value" / "evaluation.json").read_text())
    gain = content["gain_against_nobody"]["the plan"]["conversion"]
    assert gain["low"] < 0.1 < gain["high"]  # half of the users get what adds 0.2
    weighted = content["inverse_propensity"]["the plan"]["conversion"]
    assert weighted["low"] < 0.1 < weighted["high"]
    assert weighted["standard_error"] > gain["standard_error"]
    plan.loc[1, "offer_id"] = "huge"
    plan.loc[3, "user_id"] = "u1"
    plan.to_csv(tmp_path / "plan.csv", index=False)
    done = incentive("evaluate", policy, *words, "--out", "again")
    assert done.returncode == 2
    assert "`offer_id` is not in the policy in 1 row" in done.stderr
    assert "`user_id` repeats an earlier row" in done.stderr
