"""A plan valued by the arms that users really got: whose rows it decides on, and on which."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import incentive_engine as ie
from incentive_engine.measurement.covariates import read_covariates
from incentive_engine.measurement.plan_on_trial import replay_plan

POLICY = ie.Policy(version=1, name="x", offers=[{"id": "10", "face_value": 10}], holdout=0)
ROWS = 40


def trial(**more: list[str]) -> ie.Trial:
    """Return a trial in which the offer makes every second user buy."""
    treated = np.arange(ROWS) % 2 == 1
    frame = pd.DataFrame(
        {
            "user_id": [f"u{row}" for row in range(ROWS)],
            "offer": np.where(treated, "10", "control"),
            "conversion": (treated & (np.arange(ROWS) % 4 == 1)).astype(int),
            "spend": 0.0,
            "cost": 0.0,
            "visits": 1,
        }
    )
    return ie.Trial.from_frame(frame.assign(**more), POLICY)


def plan(folder: Path, text: str) -> Path:
    file = folder / "plan.csv"
    file.write_text(text)
    return file


@pytest.mark.parametrize("nobody", ["", "u0,\n"])
def test_offers_with_numbers_for_names_are_offers(tmp_path: Path, nobody: str) -> None:
    rows = "".join(f"u{row},10\n" for row in range(1, ROWS))
    replay = replay_plan(
        plan(tmp_path, f"user_id,offer_id\n{nobody}{rows}"), trial(), POLICY, model=None
    )
    assert replay.gains["the plan"]["conversion"].value > 0.4


def test_a_plan_is_found_in_each_campaign_of_its_users(tmp_path: Path) -> None:
    campaigns = ["spring", "spring", "autumn", "autumn"] * (ROWS // 4)
    rows = "".join(f"u{row},10\n" for row in range(ROWS // 2))
    replay = replay_plan(
        plan(tmp_path, "user_id,offer_id\n" + rows), trial(campaign=campaigns), POLICY, model=None
    )
    assert (replay.rows, replay.left_out) == (ROWS // 2, ROWS // 2)


def test_numbers_beyond_the_digits_of_a_float_are_covariates_too(tmp_path: Path) -> None:
    file = tmp_path / "before.csv"
    file.write_text("user_id,spend,card\na,5,900000000000000001\nb,7,3\n")
    known = read_covariates(file, pa.array(["a", "b"]))
    assert known[:, 0].tolist() == [5, 7]
