"""Logs of what users did, as shops have them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from incentive_engine.data.sources import open_source
from incentive_engine.data.trials.outcomes import Outcomes, read_outcomes
from incentive_engine.errors import DataError

USERS = pa.array(["a", "b", "c", "d"])
OFFERS = ("off10", "off20")


def written(folder: Path, text: str) -> Path:
    file = folder / "outcomes.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_users_that_the_log_leaves_out_did_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, "user_id,conversion,spend,cost\nc,1,30,5\nstranger,1,9,0\na,0,0,0\n")
    found = read_outcomes(open_source(file), USERS, OFFERS)
    assert found.named.tolist() == [True, False, True, False]
    assert found.conversion.tolist() == [0, 0, 1, 0]
    assert found.spend is not None
    assert found.spend.tolist() == [0, 0, 30, 0]
    assert found.cost is not None
    assert found.cost.tolist() == [0, 0, 5, 0]
    assert (found.offer, found.strangers) == (None, 1)


@pytest.mark.parametrize("column", ["offer", "offer_id"])
def test_what_reached_a_user_may_be_nothing_or_unknown(tmp_path: Path, column: str) -> None:
    text = f"user_id,conversion,{column}\na,0,off20\nb,0,\nc,0,control\n"
    found = read_outcomes(open_source(written(tmp_path, text)), USERS, OFFERS)
    assert found.offer is not None
    assert found.offer.tolist() == [1, -1, -1, Outcomes.NOT_KNOWN]
    assert (found.spend, found.cost) == (None, None)


def test_offers_may_have_numbers_for_names(tmp_path: Path) -> None:
    file = written(tmp_path, "user_id,conversion,offer_id\na,1,10\nb,0,\nc,0,20\n")
    found = read_outcomes(open_source(file), USERS, ("10", "20"))
    assert found.offer is not None
    assert found.offer.tolist() == [0, -1, 1, Outcomes.NOT_KNOWN]


def test_ids_may_be_numbers_in_one_place_and_texts_in_the_other(tmp_path: Path) -> None:
    file = tmp_path / "outcomes.parquet"
    pd.DataFrame({"user_id": ["7", "9"], "conversion": [1, 0]}).to_parquet(file, index=False)
    found = read_outcomes(open_source(file), pa.array([9, 7], type=pa.int64()), OFFERS)
    assert found.conversion.tolist() == [0, 1]


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = (
        "user_id,conversion,spend,cost,offer_id\na,2,1,1,off10\na,1,,1,off10\nb,1,inf,-1,off30\n"
    )
    with pytest.raises(DataError) as error:
        read_outcomes(open_source(written(tmp_path, text)), USERS, OFFERS)
    told = str(error.value)
    for part in (
        "`user_id` repeats an earlier row in 1 row (row 2 user a)",
        "`conversion` is neither 0 nor 1 in 1 row (row 1 user a), expected 0 or 1",
        "`spend` is missing in 1 row (row 2 user a)",
        "`spend` is infinite in 1 row (row 3 user b)",
        "`cost` is negative in 1 row (row 3 user b)",
        "`offer_id` is not an offer of the run in 1 row (row 3 user b)",
    ):
        assert part in told


def test_a_log_of_other_people_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of its 1 rows is about a user of the run"):
        read_outcomes(open_source(written(tmp_path, "user_id,conversion\nz,1\n")), USERS, OFFERS)


def test_a_log_without_conversions_names_the_column(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="column `conversion` is missing; did you mean `conversions`"
    ):
        read_outcomes(open_source(written(tmp_path, "user_id,conversions\na,1\n")), USERS, OFFERS)


def test_a_log_of_many_users_is_spread_right(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    ids = rng.permutation(100_000)
    log = pd.DataFrame({"user_id": ids[:40_000], "conversion": rng.integers(0, 2, 40_000)})
    log.to_parquet(tmp_path / "log.parquet", index=False)
    users = pa.array(np.sort(ids), type=pa.int64())
    found = read_outcomes(open_source(tmp_path / "log.parquet"), users, OFFERS)
    expected = np.zeros(100_000)
    expected[log["user_id"]] = log["conversion"]
    assert np.array_equal(found.conversion, expected)
