"""Delta tables that the library of their own format wrote."""

from __future__ import annotations

import datetime as dt
import json
import sys
from decimal import Decimal
from pathlib import Path

import deltalake
import pandas as pd
import pyarrow as pa
import pytest

from incentive_engine.data.sources import open_source
from incentive_engine.errors import DataError, SetupError


def table(path: Path) -> Path:
    first = pa.table({"user_id": [1, 2, 3], "region": ["x", "y z", None], "age": [1, None, 3]})
    deltalake.write_deltalake(path, first, partition_by=["region"])
    more = pa.table({"user_id": [4], "region": ["x"], "spend": [2.5]})
    deltalake.write_deltalake(path, more, mode="append", schema_mode="merge")
    deltalake.DeltaTable(path).delete("user_id = 2")
    return path


def test_a_delta_table_is_its_newest_version_with_folders_and_later_columns(
    tmp_path: Path,
) -> None:
    source = open_source(table(tmp_path / "t"))
    rows = sorted(source.table().to_pylist(), key=lambda row: row["user_id"])
    assert rows == [
        {"user_id": 1, "region": "x", "age": 1.0, "spend": None},
        {"user_id": 3, "region": None, "age": 3.0, "spend": None},
        {"user_id": 4, "region": "x", "age": None, "spend": 2.5},
    ]
    assert source.rows() == 3
    assert {name: gap for name, gap in source.gaps().items() if gap} == {
        "region": 1, "age": 1, "spend": 2,
    }  # fmt: skip


def test_the_digest_of_a_delta_table_changes_with_its_version(tmp_path: Path) -> None:
    path = table(tmp_path / "t")
    before = open_source(path).digest()
    deltalake.DeltaTable(path).delete("user_id = 4")
    assert open_source(path).digest() != before


def test_a_feature_that_is_not_read_is_refused_by_name(tmp_path: Path) -> None:
    path = table(tmp_path / "t")
    log = path / "_delta_log" / "00000000000000000003.json"
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"],
        "writerFeatures": ["deletionVectors"],
    }
    log.write_text(json.dumps({"protocol": protocol}) + "\n")
    with pytest.raises(DataError, match=r"`deletionVectors`.*REORG TABLE"):
        open_source(path)


def test_a_damaged_log_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "t")
    for log in (path / "_delta_log").glob("*.json"):
        log.write_text("no json")
    with pytest.raises(DataError, match="log of the Delta table cannot be read"):
        open_source(path)


def test_a_missing_library_is_told_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(tmp_path / "t")
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(SetupError, match=r"pip install 'incentive-engine\[delta\]'"):
        open_source(path)


def test_folders_of_days_truth_values_and_odd_texts_are_columns(tmp_path: Path) -> None:
    rows = {
        "user_id": ["007", "b"],
        "day": [dt.date(2026, 1, 1), dt.date(2026, 1, 2)],
        "region": ["华 东%", "a=b/c"],
        "vip": [True, False],
        "rate": [Decimal("0.25"), Decimal("1.00")],
    }
    folders = ["day", "region", "vip", "rate"]
    deltalake.write_deltalake(tmp_path / "t", pa.table(rows), partition_by=folders)
    source = open_source(tmp_path / "t")
    (first, second) = source.table().sort_by("user_id").to_pylist()
    assert first == {
        "user_id": "007", "day": pd.Timestamp("2026-01-01"), "region": "华 东%", "vip": True,
        "rate": 0.25,
    }  # fmt: skip
    assert second["region"] == "a=b/c"
    assert sum(block.num_rows for block in source.blocks()) == 2
    assert source.digest() == open_source(tmp_path / "t").digest()
