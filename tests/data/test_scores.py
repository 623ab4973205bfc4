from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from incentive_engine.config.policy import Policy
from incentive_engine.data.row_checks import RowChecks
from incentive_engine.data.scores import ScoreTable, read_scores
from incentive_engine.data.sources import open_source
from incentive_engine.data.tables.frames import write_table
from incentive_engine.errors import DataError

from .examples import POLICY, policy_of, scores


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return policy_of(tmp_path)


def complaints(frame: pd.DataFrame, policy: Policy) -> list[str]:
    with pytest.raises(DataError) as caught:
        ScoreTable.from_frame(frame, policy)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("name", ["scores.csv", "scores.parquet"])
def test_a_table_answers_for_its_measures_in_the_order_of_the_policy(
    tmp_path: Path, policy: Policy, name: str
) -> None:
    extra = scores().assign(unused=1, conversion_se__off10=[0.1, 0.2, 0.3, np.nan])
    write_table(extra[extra.columns[::-1]], tmp_path / name)
    table = read_scores(open_source(tmp_path / name), policy)
    assert table.offers == ("off10", "vip50")
    assert table.user_id.to_pylist() == ["a", "b", "c", "d"]
    assert table.attributes.column_names == ["tier", "spend_12m", "region"]
    assert table.attributes["tier"].is_null().to_pylist() == [False, False, True, False]
    assert table.measure("conversion", "off10").tolist() == [0.01, 0.02, -0.01, 0.03]
    assert table.measure("cost", "vip50").dtype == np.float64
    assert list(table.errors) == ["conversion_se__off10"]
    assert table.errors["conversion_se__off10"][:3].tolist() == [0.1, 0.2, 0.3]
    assert (table.n_users, dict(table.missing_pairs), table.warnings) == (4, {}, ())


def test_face_and_issued_are_known_from_the_policy_alone(policy: Policy) -> None:
    table = ScoreTable.from_frame(scores(), policy)
    assert table.measure("face", "vip50").tolist() == [50.0] * 4
    assert table.measure("issued", "off10").tolist() == [1.0] * 4
    assert table.has("face")
    assert table.has("cost")
    assert not table.has("spend")
    with pytest.raises(KeyError):
        table.measure("spend", "off10")


def test_measures_cannot_be_changed(policy: Policy) -> None:
    frame = scores()
    table = ScoreTable.from_frame(frame, policy)
    with pytest.raises(ValueError, match="read-only"):
        table.measure("cost", "off10")[0] = 1.0
    frame.loc[0, "cost__off10"] = 77.0
    assert table.measure("cost", "off10")[0] == 0.5


def test_missing_pairs_are_counted_and_no_error(policy: Policy) -> None:
    frame = scores().assign(cost__vip50=np.nan)
    frame.loc[[1, 2], "conversion__off10"] = np.nan
    table = ScoreTable.from_frame(frame, policy)
    assert dict(table.missing_pairs) == {("conversion", "off10"): 2, ("cost", "vip50"): 4}
    assert tuple(map(str, table.warnings)) == (
        "scores: `cost__vip50` is missing for every user, so nobody can get the offer",
    )


def test_spend_is_read_where_it_is_given_and_then_for_every_offer(policy: Policy) -> None:
    both = scores().assign(spend__off10=1.0, spend__vip50=-2.0)
    assert ScoreTable.from_frame(both, policy).measure("spend", "vip50").tolist() == [-2.0] * 4
    assert complaints(scores().assign(spend__off10=1.0), policy)[0].startswith(
        "scores: column `spend__vip50` is missing"
    )


def test_a_measure_that_the_policy_names_must_be_there(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, POLICY.replace("maximise: conversion", "maximise: {points: 1}"))
    found = complaints(scores().assign(points_off10=1), policy)
    assert found[0] == "scores: column `points__off10` is missing; did you mean `points_off10`?"
    assert found[1].startswith("scores: column `points__vip50` is missing")


def test_repeated_and_missing_ids_are_counted_and_named_by_row(policy: Policy) -> None:
    frame = pd.concat([scores()] * 3, ignore_index=True)
    frame.loc[[5, 7], "user_id"] = [None, ""]
    assert complaints(frame, policy) == [
        "scores: `user_id` is missing in 2 rows (row 6, row 8), expected an id in each row",
        (
            "scores: `user_id` repeats an earlier row in 6 rows "
            "(row 5 user a, row 7 user c, row 9 user a, …); keep one row per user"
        ),
    ]


def test_missing_columns_do_not_hide_what_is_wrong_with_the_rows(
    tmp_path: Path, policy: Policy
) -> None:
    frame = scores().drop(columns=["cost__vip50", "tier"]).assign(cost__off10=[-1.0, 1, 1, 1])
    frame.loc[1, "user_id"] = "a"
    found = complaints(frame, policy)
    assert "scores: column `cost__vip50` is missing" in found[0]
    assert "column `tier` is not in scores" in found[1]
    assert "`user_id` repeats an earlier row in 1 row" in found[-2]
    assert "`cost__off10` is negative in 1 row" in found[-1]
    write_table(frame, tmp_path / "scores.parquet")
    with pytest.raises(DataError) as caught:
        read_scores(open_source(tmp_path / "scores.parquet"), policy)
    assert len(str(caught.value).splitlines()) == len(found)


def test_a_table_without_ids_is_still_checked(policy: Policy) -> None:
    frame = scores().drop(columns="user_id").assign(cost__off10=[-1.0, 1, 1, 1])
    found = complaints(frame, policy)
    assert found[0].startswith("scores: column `user_id` is missing")
    assert "`cost__off10` is negative in 1 row" in found[1]


@pytest.mark.parametrize("ids", [[1.5, 2.0, 3.0, 4.0], [True, False, True, False]])
def test_ids_are_integers_or_text(policy: Policy, ids: list[float]) -> None:
    found = complaints(scores().assign(user_id=ids), policy)
    assert found[0].endswith("expected integers or text")


def test_integer_ids_with_a_gap_are_missing_ids(policy: Policy) -> None:
    found = complaints(scores().assign(user_id=[1, np.nan, 3, 4]), policy)
    assert found == ["scores: `user_id` is missing in 1 row (row 2), expected an id in each row"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (-0.01, "`cost__off10` is negative in 1 row (row 2 user b), expected at least 0"),
        (np.inf, "`cost__off10` is infinite in 1 row (row 2 user b), expected finite numbers"),
        (-np.inf, "`cost__off10` is infinite in 1 row (row 2 user b), expected finite numbers"),
        (1e300, "`cost__off10` is beyond 1e+15 in 1 row (row 2 user b)"),
        (5e-324, "`cost__off10` is nearer to 0 than any real value in 1 row (row 2 user b)"),
        (1e14, "the costs of all users are too large to be summed exactly"),
    ],
)
def test_a_cost_that_cannot_be_is_refused(policy: Policy, value: float | str, words: str) -> None:
    frame = scores()
    frame.loc[1, "cost__off10"] = value
    assert len(found := complaints(frame, policy)) == 1
    assert words in found[0]


def test_an_infinite_effect_and_a_negative_standard_error_are_refused(policy: Policy) -> None:
    frame = scores().assign(conversion__vip50=np.inf, conversion_se__off10=-1.0)
    first, second = complaints(frame, policy)
    assert "`conversion_se__off10` is negative in 4 rows" in first
    assert "`conversion__vip50` is infinite in 4 rows (row 1 user a, row 2 user b," in second


def test_every_problem_is_told_at_once(policy: Policy) -> None:
    frame = scores().assign(user_id="a", cost__off10=-1.0, conversion__off10="x")
    assert len(complaints(frame, policy)) == 3


def test_missing_columns_are_named_with_their_nearest_neighbours(policy: Policy) -> None:
    frame = scores().rename(columns={"cost__off10": "cost_off10", "user_id": "userid"})
    assert complaints(frame, policy) == [
        "scores: column `user_id` is missing; did you mean `userid`?",
        "scores: column `cost__off10` is missing; did you mean `cost_off10`?",
    ]


def test_a_column_that_the_policy_names_but_no_row_has_is_located(
    tmp_path: Path, policy: Policy
) -> None:
    file = tmp_path / "tiny.yaml"
    found = complaints(scores().rename(columns={"region": "regoin"}), policy)
    words = "column `region` is not in scores; did you mean `regoin`?"
    assert found == [f"{file}:16: limits.0.for_each: {words}"]
    assert [line.split(": ")[0] for line in complaints(scores().drop(columns="tier"), policy)] == [
        f"{file}:{line}" for line in (10, 13, 19)
    ]


def test_ranges_and_powers_need_numbers(tmp_path: Path, policy: Policy) -> None:
    found = complaints(scores().assign(spend_12m="much"), policy)
    assert found == [
        f"{tmp_path / 'tiny.yaml'}:{place} needs numbers, and column `spend_12m` of scores has "
        "none; name values instead, or another column"
        for place in (
            "11: objective.weight.1.column: a power",
            "14: eligibility.1.where.spend_12m: a range",
        )
    ]


@pytest.mark.parametrize(
    ("tiers", "near"),
    [
        (pd.Series(["88vip"] * 4), "; did you mean 88vip?"),
        (pd.Series([88] * 4), "; did you mean 88?"),
        (pd.Series(["gold"] * 4, dtype="category"), "; it has: gold"),
        (pd.Series(["", "", "gold", "gold"]), "; it has: , gold"),
    ],
)
def test_a_value_that_no_row_has_is_a_warning(
    tmp_path: Path, policy: Policy, tiers: pd.Series, near: str
) -> None:
    table = ScoreTable.from_frame(scores().assign(tier=tiers), policy)
    file = tmp_path / "tiny.yaml"
    assert tuple(map(str, table.warnings)) == (
        f"{file}:10: objective.weight.0.column: no row of scores has tier = 88VIP{near}",
        f"{file}:13: eligibility.0.where.tier: no row of scores has tier = 88VIP{near}",
    )


def test_a_truth_value_that_no_row_has_is_named_as_yaml_writes_it(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, POLICY.replace("{tier: 88VIP}}", "{tier: true}}"))
    table = ScoreTable.from_frame(scores().assign(tier=["true", "false"] * 2), policy)
    assert any(
        str(text).endswith("has tier = true; did you mean true?") for text in table.warnings
    )


def test_an_empty_frame_is_refused(policy: Policy) -> None:
    assert complaints(scores().head(0), policy) == [
        "scores: has no rows, expected at least one row"
    ]


def test_text_of_any_kind_is_understood_as_text(policy: Policy) -> None:
    for tiers in (scores()["tier"].astype("object"), scores()["tier"].astype("category")):
        table = ScoreTable.from_frame(scores().assign(tier=tiers), policy)
        assert table.attributes["tier"].type == pa.dictionary(pa.int32(), pa.string())
        assert table.attributes["tier"].null_count == 1
        assert table.warnings == ()


def test_dates_are_no_measure(policy: Policy) -> None:
    frame = scores().assign(cost__off10=pd.to_datetime(["2024-01-01"] * 4))
    assert "`cost__off10` is not a number in 4 rows" in complaints(frame, policy)[0]


@pytest.mark.parametrize("word", ["inf", "-inf", "free", "5%"])
def test_what_is_no_finite_number_in_csv_is_refused(
    tmp_path: Path, policy: Policy, word: str
) -> None:
    frame = scores().assign(conversion__vip50=["0.1", word, "", "NaN"])
    write_table(frame, tmp_path / "scores.csv")
    with pytest.raises(DataError, match=r"`conversion__vip50` is .* in 1 row \(row 2 user b\)"):
        read_scores(open_source(tmp_path / "scores.csv"), policy)


def test_numbers_in_text_are_numbers(policy: Policy) -> None:
    frame = scores().assign(cost__off10=pd.Series(["0.5", "4e-1", None, "0.2"]))
    costs = ScoreTable.from_frame(frame, policy).measure("cost", "off10")
    np.testing.assert_array_equal(costs, [0.5, 0.4, np.nan, 0.2])


def test_words_in_a_column_of_numbers_are_counted(policy: Policy, tmp_path: Path) -> None:
    frame = scores().astype({"cost__off10": "str"})
    frame.loc[1, "cost__off10"] = "free"
    frame.to_csv(tmp_path / "scores.csv", index=False)
    with pytest.raises(
        DataError, match=r"`cost__off10` is not a number in 1 row \(row 2 user b\)"
    ):
        read_scores(open_source(tmp_path / "scores.csv"), policy)


def test_ids_of_many_kilobytes_are_refused_at_once_and_not_repeated(policy: Policy) -> None:
    long = [f"{i}" + "x" * 100_000 for i in range(4)]
    (message,) = complaints(scores().assign(user_id=long), policy)
    assert "`user_id` is too long in 4 rows" in message
    assert len(message) < 500


def test_whole_numbers_beyond_those_of_a_float_are_read(policy: Policy) -> None:
    big = np.array([2**64 - 1, 2**53 + 1, 1, 2], dtype=np.uint64)
    table = ScoreTable.from_frame(scores().assign(user_id=big), policy)
    assert table.user_id.to_pylist()[:2] == [str(2**64 - 1), str(2**53 + 1)]
    assert complaints(scores().assign(conversion__off10=big), policy)[0].startswith(
        "scores: `conversion__off10` is beyond 1e+15 in 2 rows"
    )


def test_ids_that_are_kept_as_codes_are_checked_as_texts() -> None:
    ids = pa.chunked_array([pa.array(["a", "b", "a", None]).dictionary_encode()])
    checks = RowChecks(where="scores", user_id=ids)
    checks.unique_ids()
    missing, repeated = map(str, checks.found())
    assert "`user_id` is missing in 1 row (row 4)" in missing
    assert "`user_id` repeats an earlier row in 1 row (row 3 user a)" in repeated


@pytest.mark.parametrize("name", ["scores.csv", "scores.parquet"])
def test_a_file_without_ids_lacks_ids_and_not_rows(
    policy: Policy, tmp_path: Path, name: str
) -> None:
    named = scores().rename(columns={"user_id": "uid"})
    file = tmp_path / name
    (named.to_csv if name.endswith("csv") else named.to_parquet)(file, index=False)
    with pytest.raises(DataError) as caught:
        read_scores(open_source(file), policy)
    (fault,) = caught.value.faults
    assert str(fault).startswith(f"{file}: column `user_id` is missing")


@pytest.mark.parametrize(
    ("values", "wanted", "said"),
    [
        (["01", "02", "10", "02"], "'01'", "is read as numbers there, so write 1 without quotes"),
        (["x", "02", "10", "02"], "10", "is text there, so write '10' in quotes"),
    ],
)
def test_codes_of_another_kind_than_the_policy_says_are_named(
    tmp_path: Path, values: list[str], wanted: str, said: str
) -> None:
    policy = policy_of(tmp_path, POLICY.replace("{tier: 88VIP}}", f"{{zone: {wanted}}}}}"))
    file = tmp_path / "scores.csv"
    file.write_text(scores().assign(zone=values).to_csv(index=False), encoding="utf-8")
    table = read_scores(open_source(file), policy)
    assert [warning for warning in table.warnings if said in str(warning)] != []
