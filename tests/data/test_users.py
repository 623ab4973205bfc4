from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from incentive_engine import knobs
from incentive_engine.config.policy import Policy
from incentive_engine.data.sources import open_source
from incentive_engine.data.tables.frames import write_table
from incentive_engine.data.users import open_users
from incentive_engine.errors import DataError
from incentive_engine.knobs import MemoryParams

from .examples import POLICY, policy_of, users


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return policy_of(tmp_path)


def complaints(frame: pd.DataFrame, policy: Policy, directory: Path) -> list[str]:
    file = directory / "users.parquet"
    write_table(frame, file)
    with pytest.raises(DataError) as caught:
        open_users(open_source(file), policy)
    return [line.replace(str(file), "USERS") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize("name", ["users.csv", "users.parquet"])
def test_every_column_beside_the_id_is_a_feature(
    tmp_path: Path, policy: Policy, name: str
) -> None:
    write_table(users().assign(age=[31, 40, 50, 60], cost=1.0), tmp_path / name)
    table = open_users(open_source(tmp_path / name), policy).whole()
    assert table.n_users == 4
    assert table.user_id.tolist() == ["a", "b", "c", "d"]
    assert list(table.features.columns) == ["tier", "spend_12m", "region", "age"]


def test_ids_are_checked(tmp_path: Path, policy: Policy) -> None:
    found = complaints(users().assign(user_id=pd.Series(["a", "b", "a", None])), policy, tmp_path)
    assert found == [
        "USERS: `user_id` is missing in 1 row (row 4), expected an id in each row",
        "USERS: `user_id` repeats an earlier row in 1 row (row 3 user a); keep one row per user",
    ]


def test_columns_that_the_policy_names_are_checked(tmp_path: Path, policy: Policy) -> None:
    frame = users().rename(columns={"region": "regoin", "user_id": "User_id"})
    found = complaints(frame, policy, tmp_path)
    place = f"{tmp_path / 'tiny.yaml'}:16: limits.0.for_each"
    assert found == [
        "USERS: column `user_id` is missing; did you mean `User_id`?",
        f"{place}: column `region` is not in USERS; did you mean `regoin`?",
    ]


def test_text_where_numbers_are_needed_is_refused(tmp_path: Path, policy: Policy) -> None:
    found = complaints(users().assign(spend_12m=list("abcd")), policy, tmp_path)
    assert [line.split(": ")[2] for line in found] == [
        f"{use} needs numbers, and column `spend_12m` of USERS has none; "
        "name values instead, or another column"
        for use in ("a power", "a range")
    ]


def test_an_outcome_of_the_trial_is_no_attribute(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, POLICY.replace("[tier]", "[tier, cost]"))
    (found,) = complaints(users().assign(cost=1.0), policy, tmp_path)
    words = "column `cost` is reserved for what happened in the trial"
    assert found.startswith(f"{tmp_path / 'tiny.yaml'}:19: holdout_strata.1: {words}")


def test_integers_beyond_64_bits_with_sign_become_text(tmp_path: Path, policy: Policy) -> None:
    ids = pd.Series([1, 2, 3, 2**64 - 1], dtype="uint64")
    write_table(users().assign(user_id=ids), tmp_path / "users.parquet")
    read_back = open_users(open_source(tmp_path / "users.parquet"), policy).whole().user_id
    assert read_back.tolist() == ["1", "2", "3", "18446744073709551615"]


def test_blocks_and_places_give_the_rows_and_types_of_the_whole(
    tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first block of ages has no gap, the second one has, so that all of them are floats."""
    monkeypatch.setattr(knobs, "MEMORY", MemoryParams(rows=3, scored_users=2))
    frame = pd.concat([users()] * 2, ignore_index=True)
    ages = pa.array([31, 40, 50, 60, None, 20, 30, 40])
    frame["user_id"] = [f"u{at}" for at in range(8)]
    table = pa.Table.from_pandas(frame, preserve_index=False).append_column("age", ages)
    pq.write_table(table, tmp_path / "users.parquet", row_group_size=5)
    file = open_users(open_source(tmp_path / "users.parquet"), policy)
    blocks = list(file.blocks())
    assert [block.n_users for block in blocks] == [2, 1, 2, 1, 2]
    whole = file.whole()
    joined = pd.concat([block.features for block in blocks], ignore_index=True)
    pd.testing.assert_frame_equal(joined, whole.features)
    assert joined["age"].dtype == "float64"
    assert {str(block.features["age"].dtype) for block in blocks} == {"float64"}
    assert [name for block in blocks for name in block.user_id] == list(frame["user_id"])
    taken = file.take(np.array([7, 0, 7, 4]))
    assert taken.user_id.tolist() == ["u7", "u0", "u7", "u4"]
    pd.testing.assert_frame_equal(
        taken.features, whole.features.iloc[[7, 0, 7, 4]].reset_index(drop=True)
    )


def test_a_file_without_statistics_tells_its_gaps_all_the_same(
    tmp_path: Path, policy: Policy
) -> None:
    frame = users().assign(age=[31, np.nan, 50, np.nan])
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, tmp_path / "users.parquet", write_statistics=False)
    assert open_users(open_source(tmp_path / "users.parquet"), policy).gaps["age"] == 2
