"""`check POLICY` opens the data, and tells what is wrong with them before anything runs."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .conftest import Incentive

POLICY = """\
version: 1
name: spring
data: {users: users.csv, trial: trial.csv}
offers:
  - {id: off10, face_value: 10}
  - {id: off20, face_value: 20}
objective:
  weight: [{column: tier, values: {金卡: 3}}]
eligibility: [{offers: [off20], where: {age: {at_least: 18}}}]
budget: {amount: 100}
holdout: 0.05
"""


def campaign() -> tuple[pd.DataFrame, pd.DataFrame]:
    users = pd.DataFrame(
        {"user_id": [f"U{i}" for i in range(40)], "tier": ["金卡会员", "普通会员"] * 20, "age": 30}
    )
    trial = users.assign(user_id=[f"T{i}" for i in range(40)], offer=["control", "off10"] * 20)
    trial.loc[::4, "offer"] = "off20"
    return users, trial.assign(conversion=0, spend=0.0, cost=0.0)


@pytest.fixture(name="write")
def _write(tmp_path: Path) -> Path:
    (tmp_path / "p.yaml").write_text(POLICY)
    users, trial = campaign()
    users.to_csv(tmp_path / "users.csv", index=False)
    trial.to_csv(tmp_path / "trial.csv", index=False)
    return tmp_path


def change(folder: Path, name: str, **names: str) -> None:
    frame = pd.read_csv(folder / f"{name}.csv")
    frame.rename(columns=names).to_csv(folder / f"{name}.csv", index=False)


@pytest.mark.usefixtures("write")
def test_good_data_are_counted_and_values_that_nobody_has_are_told(incentive: Incentive) -> None:
    made = incentive("check", "p.yaml")
    assert made.returncode == 0, made.stderr
    assert "has tier = 金卡; did you mean 金卡会员?" in made.stdout
    assert "users: 40 rows, 3 columns" in made.stdout
    assert "trial: 40 rows, 7 columns; control 10, off10 20, off20 10" in made.stdout


def test_all_that_is_wrong_with_both_tables_is_told_at_once(
    incentive: Incentive, write: Path
) -> None:
    change(write, "users", tier="teir", age="aeg")
    change(write, "trial", conversion="conversions", cost="kost")
    made = incentive("check", "p.yaml")
    assert made.returncode == 2
    for message in (
        "column `tier` is not in", "did you mean `teir`?", "column `age` is not in",
        "column `conversion` is missing; did you mean `conversions`?",
        "column `cost` is missing; did you mean `kost`?",
    ):  # fmt: skip
        assert message in made.stderr


def test_unknown_offers_and_a_missing_control_are_told_with_the_arms_found(
    incentive: Incentive, write: Path
) -> None:
    trial = pd.read_csv(write / "trial.csv")
    named = {"control": "nichts", "off10": "OFF-10", "off20": "off20"}
    trial.assign(offer=trial["offer"].map(named)).to_csv(write / "trial.csv", index=False)
    made = incentive("check", "p.yaml")
    assert made.returncode == 2
    assert "`offer` is `OFF-10` in 20 rows, expected `off10`" in made.stderr
    assert "no row is of the arm `control`" in made.stderr
    assert "other arms: OFF-10, nichts" in made.stderr


def test_columns_of_the_wrong_type_are_told(incentive: Incentive, write: Path) -> None:
    trial = pd.read_csv(write / "trial.csv")
    trial.assign(conversion="yes", spend=2.0, cost=-1.0).to_csv(write / "trial.csv", index=False)
    users = pd.read_csv(write / "users.csv")
    users.assign(age="young").to_csv(write / "users.csv", index=False)
    made = incentive("check", "p.yaml")
    assert made.returncode == 2
    assert "`conversion` is not a number in 40 rows" in made.stderr
    assert "`cost` is negative in 40 rows" in made.stderr
    assert "a range needs numbers, and column `age`" in made.stderr


def test_a_policy_for_a_sample_campaign_is_checked_against_it(
    incentive: Incentive, write: Path
) -> None:
    text = POLICY.replace("{users: users.csv, trial: trial.csv}", "{sample: double11}")
    text = text.replace("age:", "agge:")
    (write / "p.yaml").write_text(text)
    made = incentive("check", "p.yaml")
    assert made.returncode == 2
    assert (
        "column `agge` is not in the sample `double11` (users); did you mean `age`?" in made.stderr
    )
    assert "offer `off10` of the policy has no rows" in made.stderr


def test_large_tables_are_looked_at_in_seconds_by_a_sample(
    incentive: Incentive, write: Path
) -> None:
    rows, groups = 100_000, 30
    rng = np.random.default_rng(1)
    block = pa.table(
        {
            "user_id": rng.integers(0, 10**15, rows),
            "tier": pa.array(["金卡会员", "普通会员"]).take(pa.array(rng.integers(0, 2, rows))),
            "age": rng.integers(18, 80, rows),
            **{f"x{i}": rng.random(rows, dtype=np.float32) for i in range(2)},
        }
    )
    (write / "users").mkdir()
    for part in range(2):
        with pq.ParquetWriter(write / "users" / f"{part}.parquet", block.schema) as out:
            for _ in range(groups // 2):
                out.write_table(block)
    (write / "p.yaml").write_text(POLICY.replace("users.csv", "users"))
    began = time.process_time()
    made = incentive("check", "p.yaml")
    assert made.returncode == 0, made.stderr
    assert time.process_time() - began < 20
    assert "(a sample of 1,500,000 rows)" in made.stdout
    assert "users: 3,000,000 rows, 5 columns" in made.stdout


@pytest.mark.usefixtures("write")
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("limits: [{name: floor, sum: cost, at_least: 0.3}]",
         "p.yaml:9: limits.0.at_least: 0.3 is 0.3 CNY; if a share is meant, write 30%"),
        ("limits: [{name: c, sum: issued, at_most: 0.2}]",
         "0.2 users; if a share is meant, write 20%"),
        ("limits: [{name: cap, sum: cost, at_most: 20}]",
         "20 is 20 CNY of a budget of 100,000; if a share is meant, write 20%"),
        ("limits: [{name: cap, sum: cots, at_most: 2000}]", "did you mean `cost`?"),
        ("objective: {maximise: profit}", "no model learns `profit`; known are conversion, spend"),
        ("objective: {maximise: {conversion: -1}}", "the plan looks for those who buy less"),
    ],
)  # fmt: skip
def test_what_is_hardly_meant_is_told_with_what_was_probably_meant(
    incentive: Incentive, tmp_path: Path, more: str, said: str
) -> None:
    kept = POLICY[: POLICY.index("objective:")] + "holdout: 0.05\nbudget: {amount: 100000}\n"
    (tmp_path / "p.yaml").write_text(kept.replace("users: users.csv, ", "") + more + "\n")
    made = incentive("check", "p.yaml")
    assert made.returncode == 0, made.stderr
    assert said in made.stdout


def test_a_plan_of_what_is_hardly_meant_says_so_too(incentive: Incentive, tmp_path: Path) -> None:
    rows = "".join(f"u{row},0.1,1\n" for row in range(40))
    (tmp_path / "s.csv").write_text("user_id,conversion__off10,cost__off10\n" + rows)
    policy = """\
version: 1
name: meant
offers: [{id: off10, face_value: 10}]
budget: {amount: 100000}
limits: [{name: floor, sum: cost, at_least: LEAST}]
"""
    (tmp_path / "p.yaml").write_text(policy.replace("LEAST", "0.3"))
    made = incentive("allocate", "p.yaml", "--scores", "s.csv", "--out", "run")
    assert made.returncode == 0, made.stderr
    assert "if a share is meant, write 30%" in made.stdout
    (tmp_path / "p.yaml").write_text(policy.replace("LEAST", "90"))
    made = incentive("allocate", "p.yaml", "--scores", "s.csv", "--out", "other")
    assert made.returncode == 1
    assert "if a share is meant, write 90%" in made.stderr


def test_a_version_that_is_a_truth_value_is_refused(incentive: Incentive, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY.replace("version: 1", "version: true"))
    made = incentive("check", "p.yaml")
    assert made.returncode == 2
    assert "p.yaml:1: version: `true` is not known, expected `1`" in made.stderr
