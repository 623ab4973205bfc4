"""Nothing from the moment on, and no order of rows, can change a feature."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from features.examples import MOMENT, made, random_declarations, random_log
from incentive_engine.config.history import Declaration

US = pd.Timedelta(1, unit="us")
SEEDS = st.integers(0, 2**32 - 1)


def _case(seed: int) -> tuple[pd.DataFrame, pd.DataFrame, list[Declaration], np.random.Generator]:
    rng = np.random.default_rng(seed)
    log = random_log(rng, users=4, events=80)
    apart = pd.to_timedelta(rng.integers(0, 30, 6) * 86_400 * 10**6, unit="us")
    rows = pd.DataFrame({"user_id": [f"u{i}" for i in range(6)], "moment": MOMENT - apart})
    return log, rows, random_declarations(rng, 12), rng


def _unseen(log: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Return which events nobody's row may see."""
    last = rows.groupby("user_id")["moment"].max()
    return ~(log["time"] < log["user_id"].map(last).fillna(MOMENT - pd.Timedelta(days=10_000)))


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_cutting_poisoning_and_moving_what_comes_after_changes_nothing(seed: int) -> None:
    log, rows, declared, rng = _case(seed)
    expected, _ = made(log, rows, declared)
    after = _unseen(log, rows)
    cut = log[~after]
    poisoned = log.copy()
    poisoned.loc[after, "kind"] = "order"
    poisoned.loc[after, "category"] = "food"
    poisoned.loc[after, "amount"] = 10**12
    poisoned = pd.concat([poisoned, *[poisoned[after]] * 3], ignore_index=True)
    moved = log.copy()
    later = pd.to_timedelta(rng.integers(0, 10**12, int(after.sum())), unit="us")
    moved.loc[after, "time"] = log.loc[after, "time"] + later
    for changed in (cut, poisoned, moved):
        table, _ = made(changed.reset_index(drop=True), rows, declared)
        pd.testing.assert_frame_equal(table, expected, check_exact=True)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_the_order_of_events_and_of_rows_changes_nothing(seed: int) -> None:
    log, rows, declared, rng = _case(seed)
    expected, _ = made(log, rows, declared)
    shuffled = log.iloc[rng.permutation(len(log))].reset_index(drop=True)
    other = rows.iloc[rng.permutation(len(rows))]
    table, _ = made(shuffled, other, declared)
    pd.testing.assert_frame_equal(table.sort_index(), expected, check_exact=True)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_events_of_others_change_nothing(seed: int) -> None:
    log, rows, declared, _ = _case(seed)
    expected, _ = made(log, rows, declared)
    one = rows[rows["user_id"] == "u1"]
    table, _ = made(log[log["user_id"] == "u1"].reset_index(drop=True), one, declared)
    pd.testing.assert_frame_equal(table, expected.loc[one.index], check_exact=True)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_rows_that_arrive_after_the_moment_change_nothing(seed: int) -> None:
    log, rows, declared, _ = _case(seed)
    alike = rows.assign(moment=MOMENT)
    expected, _ = made(log, alike, declared)
    late = log["known"] > MOMENT
    changed = log.copy()
    changed.loc[late, "amount"] = 7
    changed.loc[late, "time"] -= 5 * US
    table, _ = made(changed, alike, declared)
    pd.testing.assert_frame_equal(table, expected, check_exact=True)
