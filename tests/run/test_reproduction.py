"""What is said of a run that was made again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incentive_engine.language import Message
from incentive_engine.run.finished import read_run
from incentive_engine.run.reproduction import changed_inputs, differences
from verify.runs import HandMadeRun, reseal


def told(before: Path, after: Path) -> list[str]:
    return [difference.text("en") for difference in differences(read_run(before), read_run(after))]


@pytest.mark.parametrize("kind", ["str", "category"])
def test_values_that_are_missing_in_both_do_not_differ(kind: str, tmp_path: Path) -> None:
    first, second = HandMadeRun(), HandMadeRun()
    for run in (first, second):
        run.scores["tier"] = run.scores["tier"].astype(kind)
        run.scores["nothing"] = None
    second.scores.loc[0, "cost__a"] = 2.0
    second.rows.loc[0, "weight"] = 7.0
    assert np.isnan(first.scores["conversion__a"]).any()
    assert told(first.write(tmp_path / "first"), second.write(tmp_path / "second")) == [
        "scores: another content was made",
        "scores.parquet: cost__a differs for 1 of 6 users",
        "allocation.parquet: weight differs for 1 of 6 users",
    ]


def test_other_bytes_for_the_same_rows_are_no_reproduction(tmp_path: Path) -> None:
    first, second = (HandMadeRun().write(tmp_path / name) for name in ("first", "second"))
    table = pd.read_parquet(second / "allocation.parquet")
    table.to_parquet(second / "allocation.parquet", index=False, row_group_size=2)
    reseal(second)
    assert told(first, second) == ["allocation.parquet: the same rows in other bytes"]


def test_trials_that_were_put_together_are_no_table_that_the_user_gave(tmp_path: Path) -> None:
    run = HandMadeRun()
    for policy in (run.policy, run.policy_file):
        assert policy is not None
        policy["data"] = {"trial": ["/elsewhere/first.parquet", "/elsewhere/second.parquet"]}
    digest = {"sha256": "ab" * 32}
    run.manifest["inputs"] = {"trial": {"path": str(tmp_path / "cache/trial.parquet"), **digest}}
    changed: list[Message] = list(changed_inputs(read_run(run.write(tmp_path / "run"))))
    assert changed == []
