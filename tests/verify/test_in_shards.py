"""A run that is looked at in shards, on processes or in turn: what is said is the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incentive_engine.fleet import Processes, SharedWork
from incentive_engine.verify.recomputed import blocks
from incentive_engine.verify.recomputed.sums import Sums
from incentive_engine.verify.verification import verify_run

from .runs import HandMadeRun, reseal


def look(run: Path, shards: int, folder: Path) -> str:
    work = SharedWork(fleet=Processes(workers=1), folder=folder, shards=shards)
    return verify_run(run, shared=work).to_json()


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two rows be a block, so that six users are three."""
    monkeypatch.setattr(blocks, "BLOCK", 2)
    monkeypatch.setattr("incentive_engine.verify.verification.BLOCK", 2)


def nothing(_run: HandMadeRun) -> None:
    """Leave the run as it is."""


def wrong_rows(run: HandMadeRun) -> None:
    """Lie in rows of several blocks."""
    run.rows.loc[[0, 2, 4, 5], "conversion"] = 0.5
    run.rows.loc[3, "reason"] = "offered"


def strata(run: HandMadeRun) -> None:
    """Hold one of two users out in the east, and one of four in the west."""
    run.scores["region"] = ["west", "west", "west", "west", "east", "east"]
    run.rows["propensity"] = [0.25, 0.25, 0.25, 0.25, 0.5, 0.5]
    for policy in (run.policy, run.policy_file):
        assert policy is not None
        policy["holdout_strata"] = ["region"]
        policy["holdout"] = 0.34


def wrong_sums(run: HandMadeRun) -> None:
    run.certificate["value"] = 1.5
    run.limit("roi").update(usage=-5.0)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("shards", [1, 2, 3, 64])
@pytest.mark.parametrize("change", [nothing, strata, wrong_rows, wrong_sums])
def test_shards_say_what_one_process_says(
    change: Callable[[HandMadeRun], None], shards: int, tmp_path: Path
) -> None:
    run = HandMadeRun()
    change(run)
    written = run.write(tmp_path / "run")
    alone = verify_run(written).to_json()
    assert json.loads(alone)["ok"] is (change is nothing)
    assert look(written, shards, tmp_path) == alone


def test_every_sum_is_added_of_all_shards() -> None:
    named = {field.name for field in fields(Sums)}
    assert named == {*Sums.COUNTS, "spend", "usages"}


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("group", [1, 3, 4, 100])
def test_row_groups_need_not_fit_the_blocks(group: int, tmp_path: Path) -> None:
    run = HandMadeRun().write(tmp_path / "run")
    for name in ("allocation.parquet", "scores.parquet"):
        pd.read_parquet(run / name).to_parquet(run / name, index=False, row_group_size=group)
    reseal(run)
    assert look(run, 3, tmp_path) == verify_run(run).to_json()


@pytest.mark.usefixtures("small_blocks")
def test_rows_of_a_file_are_the_same_however_they_are_cut(tmp_path: Path) -> None:
    file = tmp_path / "table.parquet"
    pd.DataFrame({"x": np.arange(23)}).to_parquet(file, row_group_size=5)
    for start in range(0, 24, 2):
        for stop in range(start, 24):
            read = blocks.slices(file, ["x"], rows=slice(start, stop))
            values = [x for table in read for x in table["x"].to_pylist()]
            assert values == list(range(start, stop))
