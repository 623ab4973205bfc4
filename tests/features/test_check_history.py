"""`check` looks into the logs of a policy before anything is learned from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.examples import random_log
from features.logs import write_policy, write_tables
from incentive_engine.config.document.loading import load_policy
from incentive_engine.data.sources import open_source
from incentive_engine.errors import DataError
from incentive_engine.features.check import HistoryCheck, check_history
from incentive_engine.workflow.features import make_features
from incentive_engine.workflow.files import check

COUNTS = [{"count": ["order"], "within": ["7d"]}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(9)
    users = pd.DataFrame({"user_id": [f"u{i}" for i in range(60)]})
    write_tables(tmp_path, random_log(rng, users=60, events=3000), users)
    return tmp_path


def changed(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = folder / "events.parquet"
    change(pd.read_parquet(path)).to_parquet(path)


def refused(policy: Path) -> str:
    with pytest.raises(DataError) as caught:
        check(policy)
    return str(caught.value)


def test_a_good_log_is_told_with_its_events_times_and_kinds(folder: Path) -> None:
    log = pd.read_parquet(folder / "events.parquet")
    lines = [str(line) for line in check(write_policy(folder, features=COUNTS))]
    (line,) = (line for line in lines if "events from" in line)
    assert f"{len(log):,} events" in line
    assert f"{log['time'].min():%Y-%m-%d}" in line
    assert "order" in line


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("time", "soon", "`time` is no time in"),
        ("amount", "many", "`amount` is of type"),
        ("amount", 0.5, "`amount` is no whole number"),
    ],
)
def test_a_column_of_another_type_is_refused(
    folder: Path, column: str, value: str | float, told: str
) -> None:
    def of_another_type(log: pd.DataFrame) -> pd.DataFrame:
        log[column] = value
        return log

    changed(folder, of_another_type)
    assert told in refused(write_policy(folder, features=COUNTS))


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ({"features": [{"count": ["orders"], "within": ["7d"]}]}, "did you mean `order`?"),
        ({"features": [{"count": ["order"], "within": ["4000d"]}]}, "longer than the log"),
        (
            {"moments": {"trial": "asigned_at", "users": "2026-11-10"}},
            "did you mean `assigned_at`?",
        ),
        ({"moments": {"users": "2026-11-10"}}, "names no moment of the trial"),
        (
            {"moments": {"trial": "1990-01-01", "users": "1990-01-01"}, "features": COUNTS},
            "holds nothing before any moment",
        ),
    ],
)
def test_what_the_log_cannot_give_is_refused(
    folder: Path, history: dict[str, Any], told: str
) -> None:
    assert told in refused(write_policy(folder, **history))


def test_faults_of_tables_and_logs_are_told_at_once(folder: Path) -> None:
    changed(folder, lambda log: log.rename(columns={"kind": "kinds"}))
    trial = pd.read_parquet(folder / "trial.parquet")
    trial.rename(columns={"cost": "costs"}).to_parquet(folder / "trial.parquet")
    text = refused(write_policy(folder, features=COUNTS))
    assert "did you mean `kinds`?" in text
    assert "`cost`" in text


def test_a_moment_without_a_zone_is_doubted_where_the_log_has_one(folder: Path) -> None:
    def doubts(**history: Any) -> list[str]:
        lines = map(str, check(write_policy(folder, features=COUNTS, **history)))
        return [line for line in lines if "taken for UTC" in line]

    assert ["moments.users" in line for line in doubts()] == [True]
    assert not doubts(timezone="UTC")
    assert not doubts(moments={"trial": "assigned_at", "users": "2026-11-10T12:00+08:00"})
    changed(folder, lambda log: log.assign(time=log["time"].dt.tz_localize(None)))
    assert not doubts()


def looked_at(folder: Path, rows: int, features: Any = COUNTS) -> HistoryCheck:
    policy = load_policy(write_policy(folder, features=features))
    tables = {name: open_source(folder / f"{name}.parquet") for name in ("users", "trial")}
    return check_history(policy, tables, at_most=rows)


def test_of_a_large_log_a_sample_is_read_and_what_it_lacks_is_no_fault(folder: Path) -> None:
    path = folder / "events.parquet"
    log = pd.read_parquet(path).assign(kind="order")
    log.loc[len(log) // 2, "kind"] = "visit"
    pq.write_table(pa.Table.from_pandas(log), path, row_group_size=100)
    found = looked_at(folder, 200, [{"count": ["visit"], "within": ["7d"]}])
    assert not found.faults
    assert "no event is of the kind `visit`" in str(found.warnings[-1])
    assert f"{len(log):,} events" in str(found.logs[0])


def test_a_log_without_a_usable_event_is_refused(folder: Path) -> None:
    changed(folder, lambda log: log.assign(user_id=None))
    policy = write_policy(folder, features=COUNTS)
    assert "holds no event of any user" in refused(policy)
    with pytest.raises(DataError, match="holds no event of any user"):
        make_features(policy, table="users", out=folder / "out.parquet")
