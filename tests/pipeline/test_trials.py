"""Several trials as one table, as their files are called and filled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from incentive_engine.config.inputs import Data
from incentive_engine.pipeline.trials import trials_of

ROWS = pd.DataFrame(
    {
        "user_id": ["a", "b"],
        "offer": ["control", "off5"],
        "conversion": [0, 1],
        "spend": [0.0, 9.0],
        "cost": [0.0, 5.0],
    }
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCENTIVE_CACHE", str(tmp_path / "cache"))


def joined(*files: tuple[Path, pd.DataFrame]) -> pa.Table:
    """Write trials and return them as one table."""
    for file, rows in files:
        file.parent.mkdir(exist_ok=True)
        rows.to_csv(file, index=False)
    source = trials_of(Data.model_validate({"trial": [str(file) for file, _ in files]}))
    assert source is not None
    return source.table()


def test_files_of_one_name_are_campaigns_of_their_own(tmp_path: Path) -> None:
    years = [tmp_path / year / "spring sale.csv.gz" for year in ("2024", "2025", "2026")]
    table = joined(*((file, ROWS) for file in years))
    names = ["spring sale", "spring sale 2", "spring sale 3"]
    assert table["campaign"].unique().to_pylist() == names


def test_a_file_of_another_name_is_another_campaign(tmp_path: Path) -> None:
    first = tmp_path / "first.csv"
    for name in ("spring", "autumn"):
        table = joined((first, ROWS), (tmp_path / f"{name}.csv", ROWS))
        assert table["campaign"].unique().to_pylist() == ["first", name]


def test_ids_are_text_where_one_trial_has_leading_zeros(tmp_path: Path) -> None:
    table = joined(
        (tmp_path / "a.csv", ROWS.assign(user_id=[7, 8])),
        (tmp_path / "b.csv", ROWS.assign(user_id=["007", "9"])),
    )
    assert table["user_id"].to_pylist() == ["7", "8", "007", "9"]


def test_a_column_that_one_trial_left_empty_is_what_the_other_holds(tmp_path: Path) -> None:
    table = joined(
        (tmp_path / "a.csv", ROWS.assign(segment=np.nan)),
        (tmp_path / "b.csv", ROWS.assign(segment=["new", "old"])),
    )
    assert table["segment"].to_pylist() == [None, None, "new", "old"]
