"""What is read of a log: times, kinds, amounts, and what is refused or left out."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.examples import MOMENT
from features.logs import LOG, sharded
from incentive_engine.errors import DataError
from incentive_engine.features.shards import ShardedLog

DAY = pd.Timedelta(days=1)


def _read(tmp_path: Path, log: pd.DataFrame, name: str = "log.parquet", **more: Any) -> ShardedLog:
    tmp_path.mkdir(exist_ok=True)
    path = tmp_path / name
    (log.to_csv if name.endswith(".csv") else log.to_parquet)(path, index=False)
    settings = {key: more.pop(key) for key in ("timezone", "own_campaigns") if key in more}
    written = {key: column for key, column in LOG.items() if column in log}
    return sharded(tmp_path / "cut", [{"source": path, **written, **more}], **settings)


def _log(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(
        {"user_id": "u", "time": [MOMENT - DAY, MOMENT - 2 * DAY], "kind": "order", **columns}
    )


def _times(log: ShardedLog) -> list[pd.Timestamp]:
    micros = log.events_of(0).arrays.time
    return [pd.Timestamp(int(time), unit="us", tz="UTC") for time in micros]


@pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
def test_times_without_a_zone_are_local_and_others_are_not(tmp_path: Path, name: str) -> None:
    local = pd.Timestamp("2026-11-01 08:00")
    naive = _read(tmp_path / "a", _log(time=[local] * 2), name, timezone="Asia/Shanghai")
    assert _times(naive)[0] == pd.Timestamp("2026-11-01", tz="UTC")
    there = _log(time=[local.tz_localize("Europe/Berlin")] * 2)
    zoned = _read(tmp_path / "b", there, name, timezone="Asia/Shanghai")
    assert _times(zoned)[0] == pd.Timestamp("2026-11-01 07:00", tz="UTC")


def test_parts_of_a_folder_may_name_other_zones_but_all_must_name_one(tmp_path: Path) -> None:
    there = pd.Timestamp("2026-11-01 08:00", tz="Asia/Shanghai")
    folder = tmp_path / "parts"
    folder.mkdir()
    settings = {"source": folder, "time": "time", "kind": "kind"}
    _log(time=[there] * 2).to_parquet(folder / "a.parquet")
    _log(time=[there.tz_convert("Europe/Berlin")] * 2).to_parquet(folder / "b.parquet")
    assert set(_times(sharded(tmp_path / "cut", [settings]))) == {there.tz_convert("UTC")}
    _log(time=[there.tz_localize(None)] * 2).to_parquet(folder / "c.parquet")
    with pytest.raises(DataError, match="the parts disagree on column `time`"):
        sharded(tmp_path / "again", [settings])


def test_times_in_words_may_mix_zones(tmp_path: Path) -> None:
    text = ["2026-11-01 08:00", "2026-11-01T08:00:00.1234569+09:00"]
    log = _read(tmp_path, _log(time=text), timezone="Asia/Shanghai")
    assert _times(log) == [
        pd.Timestamp("2026-10-31 23:00:00.123456", tz="UTC"),
        pd.Timestamp("2026-11-01", tz="UTC"),
    ]


def test_ids_and_zones_of_a_compressed_log_are_those_of_the_plain_one(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("uid,time,kind\n007,2026-11-01T08:00:00Z,order\n")
    packed = gzip.compress((tmp_path / "log.csv").read_bytes())
    (tmp_path / "log.csv.gz").write_bytes(packed)
    named = {"user": "uid", "time": "time", "kind": "kind"}
    for name in ("log.csv", "log.csv.gz"):
        logs = [{"source": tmp_path / name, **named}]
        log = sharded(tmp_path / f"cut {name}", logs, timezone="Asia/Shanghai")
        assert log.users_of(0).to_pylist() == ["007"]
        assert _times(log) == [pd.Timestamp("2026-11-01 08:00", tz="UTC")]


def test_days_begin_at_local_midnight(tmp_path: Path) -> None:
    days = pd.Series([pd.Timestamp("2026-11-01")] * 2).dt.date
    log = _read(tmp_path, _log(time=days), timezone="Asia/Shanghai")
    assert _times(log)[0] == pd.Timestamp("2026-10-31 16:00", tz="UTC")


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"time": ["2026-11-01", "yesterday"]}, r"`time` is no time in 1 row \(row 2\)"),
        ({"time": ["2026-13-01", "2026-11-01"]}, r"`time` is no time in 1 row \(row 1\)"),
        ({"time": [1_700_000_000, 2]}, "`time` is of type int64, which is no time"),
        ({"amount": ["12.50", "x"]}, "`amount` is of type .*string, which is no number"),
        ({"amount": [12.5, 3.0]}, "`amount` is no whole number in 1 row"),
        ({"amount": [10**15, 3]}, "`amount` is beyond 1,000,000,000,000 in 1 row"),
    ],
)
def test_what_is_no_time_and_no_amount_is_refused(
    tmp_path: Path, columns: dict[str, object], told: str
) -> None:
    with pytest.raises(DataError, match=told):
        _read(tmp_path, _log(**columns))


def test_whole_amounts_with_gaps_are_read(tmp_path: Path) -> None:
    arrays = _read(tmp_path, _log(amount=[5.0, np.nan])).events_of(0).arrays
    assert arrays.amount.tolist() == [np.iinfo(np.int64).min, 5]


def test_rows_without_user_or_time_are_left_out_and_counted(tmp_path: Path) -> None:
    log = pd.concat([_log(), _log(user_id=None), _log(user_id=""), _log(time=[pd.NaT] * 2)])
    read = _read(tmp_path, log)
    (counts,) = read.logs
    assert (counts.rows, counts.without_user, counts.without_time, read.events) == (8, 4, 2, 2)


def test_repeated_rows_are_counted(tmp_path: Path) -> None:
    log = pd.concat([_log(category=None), _log(category=None), _log(category="food")])
    assert _read(tmp_path, log).repeats == 2


def test_rows_of_the_own_campaign_are_left_out(tmp_path: Path) -> None:
    log = _read(
        tmp_path, _log(source=["spring", "autumn"]), campaign="source", own_campaigns=["autumn"]
    )
    assert (log.events, log.logs[0].own_campaign) == (1, 1)


def test_a_log_that_is_left_out_as_a_whole_comes_before_others(tmp_path: Path) -> None:
    named = {"user": "user_id", "time": "time", "kind": "kind", "known": "known"}
    for name, user in (("nobodies", None), ("users", "u")):
        _log(user_id=user, known=MOMENT).to_parquet(tmp_path / f"{name}.parquet")
    logs = [{"source": tmp_path / f"{name}.parquet", **named} for name in ("nobodies", "users")]
    log = sharded(tmp_path / "cut", logs)
    assert (log.events, log.logs[0].without_user) == (2, 2)
    assert len(log.events_of(0).arrays.known) == 2


def test_a_missing_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column `tine` is missing; did you mean `time`"):
        _read(tmp_path, _log(), time="tine")


def test_a_log_of_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no event of any user"):
        _read(tmp_path, _log(user_id=None))


def test_a_constant_kind_stands_for_every_row(tmp_path: Path) -> None:
    log = _read(tmp_path, _log(), kind={"constant": "visit"})
    assert log.kinds == ("visit",)
