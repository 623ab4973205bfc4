"""A log in shards gives the features of the log in one piece, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.examples import (
    MOMENT,
    OFFERS,
    codes,
    declaration,
    made,
    micros,
    random_declarations,
    random_log,
)
from features.logs import LOG, sharded
from incentive_engine.features.computing.events import ComputedFeatures
from incentive_engine.features.computing.history_columns import history_columns
from incentive_engine.features.local import ShardFeatures, features_of_rows
from incentive_engine.features.plan import FeaturePlan
from incentive_engine.features.shards import ShardedLog, shard_of
from incentive_engine.fleet import Processes

CATEGORIES = {offer.id: tuple(map(str, offer.categories)) for offer in OFFERS}


def _features(
    log: ShardedLog, plan: FeaturePlan, rows: pd.DataFrame, *, workers: int = 1
) -> ComputedFeatures:
    ids = pa.array(rows["user_id"], pa.string() if rows["user_id"].dtype == "str" else None)
    return features_of_rows(
        ShardFeatures(log=log, plan=plan),
        user=ids,
        moment=micros(rows["moment"]),
        fleet=Processes(workers=workers),
    )


@pytest.fixture(scope="module")
def case() -> tuple[pd.DataFrame, pd.DataFrame, FeaturePlan, pd.DataFrame]:
    rng = np.random.default_rng(5)
    log = random_log(rng, users=40, events=1500)
    apart = pd.to_timedelta(rng.integers(0, 40, 50) * 86_400 * 10**6, unit="us")
    rows = pd.DataFrame({"user_id": [f"u{i}" for i in range(50)], "moment": MOMENT - apart})
    declared = random_declarations(np.random.default_rng(6), 40)
    columns = history_columns(declared, OFFERS)
    expected, _ = made(log, rows, declared)
    return log, rows, FeaturePlan(columns=columns, offer_categories=CATEGORIES, delay=0), expected


@pytest.mark.parametrize("shards", [1, 2, 7, 64])
def test_the_number_of_shards_changes_nothing(
    case: tuple[pd.DataFrame, pd.DataFrame, FeaturePlan, pd.DataFrame],
    tmp_path: Path,
    shards: int,
) -> None:
    log, rows, plan, expected = case
    log.to_parquet(tmp_path / "events.parquet")
    events = {"source": tmp_path / "events.parquet", **LOG, "known": "known"}
    cut = sharded(tmp_path / "cut", [events], shards=shards)
    table = pd.DataFrame(_features(cut, plan, rows).columns)
    pd.testing.assert_frame_equal(table, expected, check_exact=True)


def test_the_order_of_rows_and_a_cut_into_files_change_nothing(
    case: tuple[pd.DataFrame, pd.DataFrame, FeaturePlan, pd.DataFrame], tmp_path: Path
) -> None:
    log, rows, plan, expected = case
    log.iloc[::-1].iloc[:700].to_csv(tmp_path / "one.csv", index=False)
    log.iloc[::-1].iloc[700:].to_parquet(tmp_path / "two.parquet")
    parts = [
        {"source": tmp_path / name, **LOG, "known": "known"} for name in ("one.csv", "two.parquet")
    ]
    cut = sharded(tmp_path / "cut", parts, shards=3)
    table = pd.DataFrame(_features(cut, plan, rows).columns)
    pd.testing.assert_frame_equal(table, expected, check_exact=True)


@pytest.mark.slow
def test_processes_give_what_one_gives(
    case: tuple[pd.DataFrame, pd.DataFrame, FeaturePlan, pd.DataFrame], tmp_path: Path
) -> None:
    log, rows, plan, expected = case
    log.to_parquet(tmp_path / "events.parquet")
    events = {"source": tmp_path / "events.parquet", **LOG, "known": "known"}
    cut = sharded(tmp_path / "cut", [events], shards=4)
    table = pd.DataFrame(_features(cut, plan, rows, workers=2).columns)
    pd.testing.assert_frame_equal(table, expected, check_exact=True)


def test_one_user_alone_has_the_features_that_the_batch_gave(
    case: tuple[pd.DataFrame, pd.DataFrame, FeaturePlan, pd.DataFrame],
) -> None:
    log, rows, _, expected = case
    declared = random_declarations(np.random.default_rng(6), 40)
    for place in (3, 17):
        one = rows.iloc[[place]]
        own = log[log["user_id"] == one["user_id"].iloc[0]].reset_index(drop=True)
        table, _ = made(own, one, declared)
        pd.testing.assert_frame_equal(table, expected.iloc[[place]], check_exact=True)


def test_a_number_and_its_digits_share_a_shard() -> None:
    numbers = np.array([0, 7, -7, 10**18, -(2**63) + 1, 12345], dtype=np.int64)
    text = pa.array([str(number) for number in numbers])
    assert shard_of(pa.array(numbers), 1000).tolist() == shard_of(text, 1000).tolist()
    assert shard_of(text.slice(2), 1000).tolist() == shard_of(text, 1000).tolist()[2:]


def test_shards_are_about_equally_large() -> None:
    sizes = np.bincount(shard_of(pa.array(np.arange(100_000)), 64))
    # a chi-square of 63 degrees of freedom is above 113 once in 10,000 tries
    assert float(((sizes - 100_000 / 64) ** 2).sum() / (100_000 / 64)) < 113


def test_ids_that_are_numbers_in_one_table_match_text_in_another(tmp_path: Path) -> None:
    log = pd.DataFrame({"uid": [7, 7, 8], "time": MOMENT - pd.Timedelta(days=1), "kind": "order"})
    log.to_parquet(tmp_path / "events.parquet")
    events = {"source": tmp_path / "events.parquet", "user": "uid", "time": "time", "kind": "kind"}
    cut = sharded(tmp_path / "cut", [events], shards=3)
    columns = history_columns([declaration(count=["order"], within=["7d"])], [])
    plan = FeaturePlan(columns=columns, offer_categories={}, delay=0)
    rows = pd.DataFrame({"user_id": pd.Series(["8", "7", "9"], dtype="str"), "moment": MOMENT})
    assert _features(cut, plan, rows).columns["count_order_7d"].tolist() == [1, 2, 0]
    numbers = pd.DataFrame({"user_id": [8, 7, 9], "moment": MOMENT})
    assert _features(cut, plan, numbers).columns["count_order_7d"].tolist() == [1, 2, 0]


def test_codes_of_unknown_values_are_none() -> None:
    assert codes(pd.Series(["x", "order"]), ["order"]).tolist() == [-1, 0]
