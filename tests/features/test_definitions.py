"""Features are what the definitions say, to the microsecond."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.examples import (
    MOMENT,
    OFFERS,
    declaration,
    made,
    random_declarations,
    random_log,
)
from features.oracle import reckoned

NONE = pd.Timedelta(0)
US = pd.Timedelta(1, unit="us")
DAYS = pd.Timedelta(days=1)


def _log(*events: tuple[pd.Timedelta, str, str | None, int | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user_id": "u",
            "time": [MOMENT - age for age, *_ in events],
            "kind": [kind for _, kind, *_ in events],
            "category": pd.Series([category for _, _, category, _ in events], dtype="str"),
            "amount": pd.array([amount for *_, amount in events], dtype="Int64"),
        }
    )


def _one(log: pd.DataFrame, delay: pd.Timedelta = NONE, **written: object) -> list[float]:
    rows = pd.DataFrame({"user_id": ["u"], "moment": [MOMENT]})
    table, _ = made(log, rows, [declaration(**written)], delay=delay)
    return [float(value) for value in table.iloc[0]]


def _of(verb: str, column: str) -> dict[str, Any]:
    return {verb: column, "of": ["order"], "within": ["7d"]}


@pytest.mark.parametrize("seed", range(4))
def test_two_hundred_random_declarations_equal_an_independent_reckoning(seed: int) -> None:
    rng = np.random.default_rng(seed)
    log = random_log(rng, users=5, events=160)
    log = log if seed % 2 else log.drop(columns="known")
    apart = pd.to_timedelta(rng.choice([0, 1, -1, 86_400_000_000 * 20, 17], 7), unit="us")
    rows = pd.DataFrame({"user_id": [f"u{i}" for i in range(7)], "moment": MOMENT - apart})
    declared = random_declarations(rng, 50)
    delay = pd.Timedelta(int(rng.choice([0, 1, 45 * 10**6])), unit="us")
    ours, _ = made(log, rows, declared, delay=delay)
    names = [str(name) for name in ours]
    theirs = reckoned(log, rows, declared, OFFERS, delay=delay)
    assert set(ours) == set(theirs)
    inexact = [name for name in names if name.startswith(("std_", "gap_std_", "entropy_"))]
    exact = [name for name in names if name not in inexact]
    np.testing.assert_array_equal(ours[exact].to_numpy(float), theirs[exact].to_numpy(float))
    np.testing.assert_allclose(
        ours[inexact].to_numpy(float), theirs[inexact].to_numpy(float), rtol=1e-14, atol=1e-14
    )


def test_an_event_at_the_moment_is_unseen_and_one_at_the_far_edge_is_seen() -> None:
    log = _log(
        (0 * US, "order", None, None),
        (1 * US, "order", None, None),
        (7 * DAYS, "order", None, None),
        (7 * DAYS + US, "order", None, None),
        (-1 * US, "order", None, None),
    )
    assert _one(log, count=["order"], within=["7d", "30d"]) == [2, 3]


def test_the_delay_hides_what_is_later_than_it() -> None:
    log = _log((60 * US, "order", None, None), (61 * US, "order", None, None))
    assert _one(log, delay=60 * US, count=["order"], within=["1d"]) == [1]


def test_repeated_rows_are_events_of_their_own() -> None:
    log = _log(*[(DAYS, "order", "food", 250)] * 3)
    assert _one(log, count=["order"], within=["7d"]) == [3]
    assert _one(log, sum="amount", of=["order"], within=["7d"]) == [750]
    assert _one(log, gap=["mean", "std"], of=["order"], within=["7d"]) == [0, 0]


def test_without_events_counts_are_zero_and_the_rest_is_empty() -> None:
    log = _log((-DAYS, "order", "food", 1))
    assert _one(log, count=["order", "any"], within=["7d"]) == [0, 0]
    assert _one(log, sum="amount", of=["order"], within=["7d"]) == [0]
    assert _one(log, distinct="category", of=["order"], within=["7d"]) == [0]
    assert _one(log, active_days=["any"], within=["7d"]) == [0]
    for verb in ("mean", "max", "min", "std"):
        assert math.isnan(*_one(log, **_of(verb, "amount")))
    for verb in ("entropy", "top_share"):
        assert math.isnan(*_one(log, **_of(verb, "category")))
    assert all(map(math.isnan, _one(log, recency=["order"]) + _one(log, tenure=["order"])))
    assert math.isnan(*_one(log, ratio="redeem", to="issue", within=["7d"]))


def test_a_rhythm_needs_two_events_for_its_mean_and_three_for_its_spread() -> None:
    one, two, four = (
        _log(*[(age * DAYS, "order", None, None) for age in ages])
        for ages in ((1,), (1, 3), (1, 3, 6, 13))
    )
    rhythm: dict[str, Any] = {"gap": ["mean", "std"], "of": ["order"], "within": ["90d"]}
    assert all(map(math.isnan, _one(one, **rhythm)))
    mean, spread = _one(two, **rhythm)
    assert (mean, math.isnan(spread)) == (2, True)
    assert _one(four, **rhythm) == pytest.approx([4, math.sqrt(14 / 3)], rel=1e-15)


def test_a_regular_rhythm_has_no_spread_at_all() -> None:
    gap = pd.Timedelta(days=7, seconds=31, microseconds=7)
    log = _log(*[(DAYS + gap * k, "order", None, None) for k in range(500)])
    assert _one(log, gap=["std"], of=["order"], within=["36500d"]) == [0]


def test_large_amounts_are_summed_exactly() -> None:
    log = _log(*[(DAYS, "order", None, 10**12 - k) for k in (0, 1, 2)])
    assert _one(log, sum="amount", of=["order"], within=["7d"]) == [3 * 10**12 - 3]
    (spread,) = _one(log, std="amount", of=["order"], within=["7d"])
    assert spread == math.sqrt(6) / 3


def test_days_are_counted_back_from_the_moment() -> None:
    log = _log(
        (1 * US, "visit", None, None),
        (DAYS, "visit", None, None),
        (DAYS + US, "visit", None, None),
        (9 * DAYS, "order", None, None),
    )
    assert _one(log, active_days=["visit", "any"], within=["30d"]) == [2, 3]


def test_an_event_without_a_category_counts_but_not_where_categories_are_counted() -> None:
    log = _log(
        (DAYS, "order", "food", None), (DAYS, "order", None, 5), (DAYS, "order", "home", None)
    )
    assert _one(log, count=["order"], within=["7d"]) == [3]
    assert _one(log, top_share="category", of=["order"], within=["7d"]) == [0.5]
    assert _one(log, entropy="category", of=["order"], within=["7d"]) == [math.log(2)]
    assert _one(log, mean="amount", of=["order"], within=["7d"]) == [5]


def test_a_match_counts_what_each_offer_can_be_spent_on() -> None:
    log = _log((DAYS, "order", "food", None), (DAYS, "order", "pets", None))
    assert _one(log, match="category", of=["order"], within=["7d"]) == [1, 1, 0]


def test_a_row_that_arrived_after_the_moment_is_unseen() -> None:
    log = _log((DAYS, "order", None, None), (DAYS, "order", None, None))
    log["known"] = [MOMENT, MOMENT + US]
    rows = pd.DataFrame({"user_id": ["u"], "moment": [MOMENT]})
    table, features = made(log, rows, [declaration(count=["order"], within=["7d"])])
    assert table.iloc[0].tolist() == [1]
    assert (features.seen.tolist(), features.late.tolist()) == ([1], [1])


def test_columns_are_named_after_what_was_declared() -> None:
    table, _ = made(
        _log((DAYS, "order", None, None)),
        pd.DataFrame({"user_id": ["u"], "moment": [MOMENT]}),
        [
            declaration(count=["order"], within=["7d", "90d"]),
            declaration(sum="amount", of=["order"], within=["90d"]),
            declaration(recency=["order"]),
            declaration(tenure=["any"]),
            declaration(distinct="category", of=["order"], within=["90d"]),
            declaration(gap=["mean", "std"], of=["order"], within=["365d"]),
            declaration(active_days=["any"], within=["30d"]),
            declaration(ratio="redeem", to="issue", within=["90d"]),
            declaration(match="category", of=["order"], within=["90d"]),
        ],
    )
    assert list(table) == [
        "count_order_7d", "count_order_90d", "sum_amount_order_90d", "recency_order",
        "tenure_any", "distinct_category_order_90d", "gap_mean_order_365d", "gap_std_order_365d",
        "active_days_any_30d", "ratio_redeem_issue_90d", "match_category_order_90d__off10",
        "match_category_order_90d__off20", "match_category_order_90d__off30",
    ]  # fmt: skip
