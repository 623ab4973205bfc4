"""One user's scores without a table are those of the table, bit for bit."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest

import incentive_engine as ie
from incentive_engine.data.users import UserTable
from incentive_engine.errors import DataError
from incentive_engine.uplift.model import EffectModel, predict
from incentive_engine.uplift.one_user import UserScorer
from library.market import policy, trial_frame


def ruled() -> ie.Policy:
    rules = [
        {"offers": ["off20"], "where": {"visits": {"at_least": 1}}},
        {"offers": ["off10"], "where": {"region": ["north", "south", "west"]}},
    ]
    return policy(eligibility=rules)


@functools.cache
def fitted() -> EffectModel:
    """A model of numbers with gaps, a category with gaps, truth values, whole numbers, dates."""
    frame = trial_frame(4000)
    rng = np.random.default_rng(3)
    return ie.fit(ie.Trial.from_frame(_varied(frame, rng), ruled()), ruled(), seed=2).fitted


def _varied(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    n = len(frame)
    days = pd.to_datetime("2026-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")
    frame = frame.assign(
        tier=rng.choice(["gold", "silver", "tin"], n),
        member=rng.random(n) < 0.4,
        orders=rng.integers(0, 9, n),
        since=days,
    )
    frame.loc[rng.random(n) < 0.1, "age"] = np.nan
    frame.loc[rng.random(n) < 0.1, "tier"] = None
    frame.loc[rng.random(n) < 0.1, "region"] = "west"
    return frame


def asked(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(9)
    frame = _varied(trial_frame(rows).drop(columns=["offer", "conversion", "spend", "cost"]), rng)
    frame.loc[::7, "tier"] = "never seen"
    frame.loc[::11, "age"] = 1e300  # beyond float32
    frame.loc[::13, "visits"] = np.nan
    frame.loc[1::13, "visits"] = 1e9  # far from the trial
    return frame.assign(user_id=range(rows))


def as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None
        if pd.isna(value)
        else str(value.date())
        if isinstance(value, pd.Timestamp)
        else value
        for name, value in row.items()
        if name != "user_id"
    }


@pytest.mark.parametrize("rows", [200, 700])
def test_a_user_alone_is_scored_as_in_the_table(rows: int) -> None:
    """With many rows our own trees score the table, with few LightGBM."""
    frame = asked(rows)
    table = predict(fitted(), UserTable.from_frame(frame, ruled()), ruled())
    scorer = UserScorer(fitted(), ruled())
    for place, row in enumerate(frame.head(200).to_dict("records")):
        measures = scorer.measures(as_json({str(k): v for k, v in row.items()}), where="user")
        for measure, values in measures.items():
            for offer, value in zip(ruled().offer_ids, values, strict=True):
                assert value == table[f"{measure}__{offer}"][place], (measure, row)


def test_what_a_model_needs_is_asked_for_by_name() -> None:
    scorer = UserScorer(fitted(), ruled())
    (row,) = asked(1).to_dict("records")
    features = as_json({str(k): v for k, v in row.items()})
    with pytest.raises(DataError, match=r"the feature `orders` .*is missing"):
        scorer.measures({k: v for k, v in features.items() if k != "orders"}, where="user")
    with pytest.raises(DataError, match="`age` holds no numbers"):
        scorer.measures({**features, "age": "old"}, where="user")
    with pytest.raises(DataError, match="`since` holds no dates"):
        scorer.measures({**features, "since": "soon"}, where="user")
    with pytest.raises(DataError, match="`visits` holds no number"):
        scorer.measures({**features, "visits": "many"}, where="user")
