from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incentive_engine.config.policy import Policy
from incentive_engine.data.columns.features import learnable
from incentive_engine.data.sources import open_source
from incentive_engine.data.tables.frames import write_table
from incentive_engine.data.trials.trial import Trial, read_trial
from incentive_engine.data.users import UserFile, open_users
from incentive_engine.errors import ConfigError, DataError

from .examples import POLICY, policy_of, trial, users

ALL = {"tier", "spend_12m", "region", "basket"}


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return policy_of(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "trial.parquet"


def read(frame: pd.DataFrame, policy: Policy, file: Path, among: UserFile | None = None) -> Trial:
    file.unlink(missing_ok=True)
    write_table(frame, file)
    return read_trial(open_source(file), policy, among)


def complaints(
    frame: pd.DataFrame, policy: Policy, file: Path, among: UserFile | None = None
) -> list[str]:
    with pytest.raises(DataError) as caught:
        read(frame, policy, file, among)
    return [line.removeprefix(f"{file}: ") for line in str(caught.value).splitlines()]


def user_table(frame: pd.DataFrame, policy: Policy, directory: Path) -> UserFile:
    write_table(frame, directory / "users.parquet")
    return open_users(open_source(directory / "users.parquet"), policy)


def put(frame: pd.DataFrame, column: str, *rows: int, value: float | str | None) -> pd.DataFrame:
    """Return the frame with another value in some rows of a column."""
    cells = frame[column].tolist()
    for row in rows:
        cells[row] = value
    if isinstance(value, str):
        cells = [str(cell) for cell in cells]
    return frame.assign(**{column: pd.Series(cells)})


@pytest.mark.parametrize("name", ["trial.csv", "trial.parquet"])
def test_arms_are_numbered_in_the_order_of_the_policy(
    tmp_path: Path, policy: Policy, name: str
) -> None:
    write_table(trial(), tmp_path / name)
    read = read_trial(open_source(tmp_path / name), policy, None)
    assert read.offers == ("off10", "vip50")
    assert read.arm.tolist() == [0, 1, 2] * 4
    assert read.arm.dtype == np.int16
    assert read.conversion.tolist() == [0.0, 1.0, 1.0] * 4
    assert read.spend.tolist() == [0.0, 120.0, 400.0] * 4
    assert read.cost.tolist() == [0.0, 10.0, 50.0] * 4
    assert read.propensity.tolist() == [0.5, 0.3, 0.2] * 4
    assert list(read.features.columns) == ["tier", "spend_12m", "region"]
    assert (read.n_rows, dict(read.counts), dict(read.ignored_rows)) == (12, {}, {})


def test_outcomes_cannot_be_changed(policy: Policy, file: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        read(trial(), policy, file).cost[0] = 1.0


def test_an_arm_that_is_not_offered_any_more_is_left_out_and_counted(
    policy: Policy, file: Path
) -> None:
    old = trial().assign(user_id=[f"old{i}" for i in range(12)], offer="off99")
    both = pd.concat([old, trial()], ignore_index=True)
    read_back = read(both, policy, file)
    assert dict(read_back.ignored_rows) == {"off99": 12}
    assert read_back.n_rows == 12
    assert read_back.user_id.tolist() == trial()["user_id"].tolist()
    assert read_back.features["spend_12m"].tolist() == list(range(12))


def test_arm_shares_stand_in_for_unknown_propensities(policy: Policy, file: Path) -> None:
    frame = trial()
    frame["offer"] = ["control"] * 6 + ["off10"] * 3 + ["vip50"] * 2 + ["off99"]
    assert read(frame.drop(columns="propensity"), policy, file).propensity.tolist() == (
        [6 / 12] * 6 + [3 / 12] * 3 + [2 / 12] * 2
    )
    frame.loc[[0, 1, 6, 11], "propensity"] = np.nan
    mixed = read(frame, policy, file)
    assert mixed.propensity[[0, 1, 6]].tolist() == [2 / 4, 2 / 4, 1 / 4]
    assert mixed.propensity[2:5].tolist() == [0.2, 0.5, 0.3]
    assert mixed.counts["unknown_propensity"] == 3


def test_features_may_be_allowed_and_denied_by_name(tmp_path: Path, file: Path) -> None:
    frame = trial().assign(basket=1.0)
    for words, left in (
        ("{deny: [basket, tier]}", ["spend_12m", "region"]),
        ("{allow: [region, tier], deny: [spend_12m]}", ["tier", "region"]),
    ):
        policy = policy_of(tmp_path, POLICY + f"features: {words}\n")
        found = read(frame, policy, file)
        named = [name for name in learnable(found.features, policy.features) if name in ALL]
        assert named == [name for name in found.features if name in left]
        assert "tier" in found.features  # eligibility and weights still look at it


def test_a_misspelt_feature_is_an_error_at_its_place(tmp_path: Path, file: Path) -> None:
    policy = policy_of(tmp_path, POLICY + "features: {deny: [regoin]}\n")
    (line,) = complaints(trial(), policy, file)
    assert "features.deny.0" in line
    assert "did you mean `region`?" in line


def test_a_feature_is_not_allowed_and_denied_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="allowed and denied at once: tier"):
        policy_of(tmp_path, POLICY + "features: {allow: [tier], deny: [tier]}\n")


def test_what_is_odd_but_possible_is_counted(policy: Policy, file: Path) -> None:
    frame = put(trial(), "spend", 0, 3, value=-5.0)
    frame = put(frame, "spend", 6, value=9.0)
    frame = put(frame, "cost", 9, value=1.0)
    assert dict(read(frame, policy, file).counts) == {
        "negative_spend": 2,
        "spend_without_conversion": 1,
        "cost_in_control": 1,
    }


def test_a_trial_without_control_is_refused(policy: Policy, file: Path) -> None:
    frame = trial()
    frame["offer"] = frame["offer"].replace("control", "contrl")
    (found,) = complaints(frame, policy, file)
    assert found.startswith("no row is of the arm `control`, so nothing tells what happens")
    assert found.endswith("expected rows of every arm; is `contrl` meant?")
    assert "meant" not in complaints(trial().assign(offer="off10"), policy, file)[0]


def test_an_offer_without_rows_is_refused(policy: Policy, file: Path) -> None:
    frame = trial()
    frame["offer"] = frame["offer"].replace("vip50", "off10")
    (found,) = complaints(frame, policy, file)
    assert found.startswith("offer `vip50` of the policy has no rows, expected rows of every arm")
    assert found.endswith("; drop it from the policy, or test it first")
    frame["offer"] = trial()["offer"].replace("vip50", "vip5")
    assert complaints(frame, policy, file)[0].endswith("is `vip5` meant?")


@pytest.mark.parametrize("name", ["Off10", " off10", "off-10", "OFF_10"])
def test_a_name_that_only_looks_like_another_arm_is_refused(
    policy: Policy, file: Path, name: str
) -> None:
    frame = trial()
    frame.loc[1, "offer"] = name
    assert complaints(frame, policy, file) == [f"`offer` is `{name}` in 1 row, expected `off10`"]


def test_a_row_without_an_arm_is_refused(policy: Policy, file: Path) -> None:
    assert complaints(put(trial(), "offer", 4, value=None), policy, file) == [
        "`offer` is missing in 1 row (row 5 user T4); write `control` where there was none"
    ]


def test_missing_columns_are_named(policy: Policy, file: Path) -> None:
    frame = trial().rename(columns={"offer": "offers", "spend": "gmv"})
    first, second = complaints(frame, policy, file)
    assert first == "column `offer` is missing; did you mean `offers`?"
    assert second.startswith("column `spend` is missing; it has: user_id, offers, propensity")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("conversion", 2.0, "is neither 0 nor 1 in 1 row (row 2 user T1), expected 0 or 1"),
        ("conversion", 0.5, "is neither 0 nor 1 in 1 row"),
        ("conversion", None, "is missing in 1 row (row 2 user T1), expected an outcome in each"),
        ("conversion", "yes", "is not a number in 1 row"),
        ("spend", None, "is missing in 1 row"),
        ("spend", np.inf, "is infinite in 1 row (row 2 user T1), expected finite numbers"),
        ("cost", None, "is missing in 1 row"),
        ("cost", np.inf, "is infinite in 1 row"),
        ("cost", -0.01, "is negative in 1 row (row 2 user T1), expected at least 0"),
        (
            "propensity",
            0.0,
            "is outside (0, 1] in 1 row (row 2 user T1), expected above 0 and at most 1",
        ),
        ("propensity", 1e-7, "is so small that one row would count as a million in 1 row"),
        ("propensity", 1.01, "is outside (0, 1] in 1 row"),
        ("propensity", -0.3, "is outside (0, 1] in 1 row"),
        ("propensity", "half", "is not a number in 1 row"),
    ],
)
def test_a_row_that_cannot_be_is_refused(
    tmp_path: Path, policy: Policy, column: str, value: float | str | None, words: str
) -> None:
    frame = put(trial(), column, 1, value=value)
    found = complaints(frame, policy, tmp_path / "trial.csv")
    assert len(found) == 1
    assert found[0].startswith(f"`{column}` {words}")


def test_ids_are_checked(policy: Policy, file: Path) -> None:
    frame = put(put(trial(), "user_id", 3, value="T0"), "user_id", 1, value=None)
    assert complaints(frame, policy, file) == [
        "`user_id` is missing in 1 row (row 2), expected an id in each row",
        "`user_id` repeats an earlier row in 1 row (row 4 user T0); keep one row per user",
    ]


def test_every_problem_is_told_at_once(policy: Policy, file: Path) -> None:
    frame = trial().drop(columns="tier").assign(cost=-1.0, conversion=3, offer="control")
    assert len(complaints(frame, policy, file)) == 2 + 2 + 3


def test_features_are_those_that_the_users_have_too(
    tmp_path: Path, policy: Policy, file: Path
) -> None:
    table = user_table(users().assign(age=30), policy, tmp_path)
    read_back = read(trial().assign(week=3), policy, file, table)
    assert list(read_back.features.columns) == ["tier", "spend_12m", "region"]
    assert tuple(map(str, read_back.warnings)) == (
        f"{file}: left out as features, because the users do not have them: week",
        f"{file}: left out as features, because the trial does not have them: age",
    )


@pytest.mark.parametrize("kind", ["int64", "str"])
def test_features_that_the_trial_lacks_come_from_the_users(
    tmp_path: Path, policy: Policy, file: Path, kind: str
) -> None:
    people = pd.concat([users()] * 4, ignore_index=True).assign(user_id=range(16), age=range(16))
    table = user_table(people, policy, tmp_path)
    tested = trial().drop(columns=["tier", "region"])
    ids = pd.Series(range(15, 3, -1))
    tested["user_id"] = ids if kind == "int64" else ids.astype("str")
    features = read(tested, policy, file, table).features
    assert list(features.columns) == ["tier", "spend_12m", "region", "age"]
    assert features["age"].tolist() == list(range(15, 3, -1))
    assert features["spend_12m"].tolist() == list(range(12))
    assert features["tier"].tolist()[:2] == ["regular", people["tier"][14]] or (
        features["tier"].isna()[1] and features["tier"][0] == "regular"
    )


def test_an_attribute_that_cannot_be_joined_is_refused(
    tmp_path: Path, policy: Policy, file: Path
) -> None:
    table = user_table(users(), policy, tmp_path)
    tested = put(trial(), "user_id", 0, value="a").drop(columns="region")
    found = complaints(tested, policy, file, table)
    assert found[0] == (
        "`user_id` is not among the users, so its features cannot be joined, in 11 rows "
        "(row 2 user T1, row 3 user T2, row 4 user T3, …); add columns to the trial: region"
    )
    assert "limits.0.for_each: column `region` is not in" in found[1]


def test_a_trial_without_features_needs_users_that_have_them(
    tmp_path: Path, policy: Policy, file: Path
) -> None:
    bare = trial()[["user_id", "offer", "conversion", "spend", "cost"]]
    assert len(complaints(bare, policy, file)) == 6
    found = complaints(bare, policy, file, user_table(users(), policy, tmp_path))
    assert "cannot be joined, in 12 rows" in found[0]


def test_a_feature_of_two_kinds_is_refused(tmp_path: Path, policy: Policy, file: Path) -> None:
    table = user_table(users().assign(age=30), policy, tmp_path)
    assert complaints(trial().assign(age="thirty"), policy, file, table) == [
        (
            "`age` holds text or dates in the trial and numbers among the users, expected the same"
            " type in both"
        )
    ]


def test_dates_are_read_alike_from_csv_and_parquet(tmp_path: Path) -> None:
    days = pd.Series([f"2025-{1 + at:02d}-11T20:00:00+08:00" for at in range(12)])
    days = days.where(days.index < 11)
    dated = trial().assign(since=days, code=[f"2025-{at}" for at in range(12)])
    policy = policy_of(tmp_path)
    found = [read(dated, policy, tmp_path / name).features for name in ("t.csv", "t.parquet")]
    for features in found:
        assert str(features["since"].iloc[1]) == "2025-02-11 12:00:00"
        assert features["since"].isna().sum() == 1
        assert features["code"].iloc[1] == "2025-1"


def test_an_attribute_stays_text_though_it_says_dates(tmp_path: Path, file: Path) -> None:
    policy = policy_of(tmp_path, POLICY.replace("[tier]", "[tier, since]"))
    dated = trial().assign(since="2025-01-01")
    assert read(dated, policy, file).features["since"].iloc[0] == "2025-01-01"
