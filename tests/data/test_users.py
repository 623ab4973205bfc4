from pathlib import Path

import pandas as pd
import pytest

from incentive_engine.config import Policy
from incentive_engine.data.frames import write_table
from incentive_engine.data.users import read_users
from incentive_engine.errors import DataError

from .examples import POLICY, policy_of, users


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return policy_of(tmp_path)


def complaints(frame: pd.DataFrame, policy: Policy, directory: Path) -> list[str]:
    file = directory / "users.parquet"
    write_table(frame, file)
    with pytest.raises(DataError) as caught:
        read_users(file, policy)
    return [line.replace(str(file), "USERS") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize("name", ["users.csv", "users.parquet"])
def test_every_column_beside_the_id_is_a_feature(
    tmp_path: Path, policy: Policy, name: str
) -> None:
    write_table(users().assign(age=[31, 40, 50, 60], cost=1.0), tmp_path / name)
    table = read_users(tmp_path / name, policy)
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
    read_back = read_users(tmp_path / "users.parquet", policy).user_id
    assert read_back.tolist() == ["1", "2", "3", "18446744073709551615"]
