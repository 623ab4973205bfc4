from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from incentive_engine.errors import DataError
from incentive_engine.uplift.boosting.features import Encoder, learn_encoder
from incentive_engine.uplift.effects.basis import Basis, learn_basis


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "number": np.arange(100.0),
            "flag": np.arange(100) % 2 == 0,
            "day": pd.date_range("2025-01-01", periods=100),
            "city": ["a"] * 60 + ["b"] * 37 + ["rare"] * 3,
            "constant": 1.0,
            "absent": np.nan,
        }
    )


def test_constant_and_empty_columns_are_left_out() -> None:
    names = [feature.name for feature in learn_encoder(frame()).features]
    assert names == ["number", "flag", "day", "city"]


def test_missing_infinite_and_unseen_values_are_encoded() -> None:
    encoder = learn_encoder(frame())
    new = frame().iloc[:4].copy()
    new["number"] = [np.nan, np.inf, -np.inf, 1e300]
    new["city"] = ["a", "unseen", "rare", None]
    new["day"] = pd.Series([pd.NaT, *new["day"].iloc[1:]])
    matrix = encoder.encode(new, where="users")
    assert np.isnan(matrix[:, 0]).all()
    assert matrix[:3, 3].tolist() == [0, 2, 2]
    assert np.isnan(matrix[3, 3])
    assert np.isnan(matrix[0, 2])
    assert matrix[1, 2] == 20090


def test_codes_survive_the_model_file() -> None:
    encoder = learn_encoder(frame())
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again == encoder


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])
def test_text_that_says_dates_stands_for_them(form: str) -> None:
    encoder = learn_encoder(frame())
    text = frame().assign(day=frame()["day"].dt.strftime(form))
    text.loc[3, "day"] = None
    expected = encoder.encode(frame(), where="users")
    expected[3, 2] = np.nan
    np.testing.assert_array_equal(encoder.encode(text, where="users"), expected)
    with pytest.raises(DataError, match="`day` holds no dates"):
        encoder.encode(text.assign(day="2025-01-01 or so"), where="users")


def test_a_feature_by_nearly_another_name_is_hinted_at() -> None:
    encoder = learn_encoder(frame())
    with pytest.raises(DataError, match="did you mean `numbre`"):
        encoder.encode(frame().rename(columns={"number": "numbre"}), where="users")


def test_every_missing_or_changed_feature_is_named() -> None:
    encoder = learn_encoder(frame())
    changed = frame().drop(columns="city").assign(number="text")
    with pytest.raises(DataError) as caught:
        encoder.encode(changed, where="users.csv")
    assert "`number` holds no numbers" in str(caught.value)
    assert "`city` that the model learned from is missing" in str(caught.value)


def test_ten_thousand_levels_share_few_codes() -> None:
    names = pd.DataFrame({"id": [f"u{i}" for i in range(10_000)], "x": range(10_000)})
    encoder = learn_encoder(names)
    assert len(encoder.features[0].levels) <= 255


def test_basis_functions_have_length_one_on_average() -> None:
    encoder = learn_encoder(frame())
    matrix = encoder.encode(frame(), where="trial")
    basis, phi = learn_basis(matrix, encoder)
    assert np.array_equal(basis(matrix), phi)
    assert np.square(phi).sum(axis=1).mean() == pytest.approx(1.0)
    assert np.abs(phi.mean(axis=0, dtype=np.float64)).max() < np.finfo(phi.dtype).eps


def test_basis_survives_the_model_file() -> None:
    encoder = learn_encoder(frame())
    matrix = encoder.encode(frame(), where="trial")
    basis, _ = learn_basis(matrix, encoder)
    again = Basis.from_json(json.loads(json.dumps(basis.to_json())))
    assert np.array_equal(again(matrix), basis(matrix))


def test_a_monotone_change_of_a_number_changes_no_basis_function() -> None:
    plain = frame()
    bent = plain.assign(number=np.exp(plain["number"] / 20))
    encoder = learn_encoder(plain)
    first, second = (encoder.encode(f, where="trial") for f in (plain, bent))
    _, expected = learn_basis(second, encoder)
    assert learn_basis(first, encoder)[1] == pytest.approx(expected, abs=0.02)
