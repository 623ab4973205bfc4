"""One user's features out of the events of a request are those out of a log, bit for bit."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.examples import MOMENT, OFFERS, made, micros, random_declarations, random_log
from incentive_engine.config.policy import Policy
from incentive_engine.errors import DataError
from incentive_engine.features.computing.history_columns import history_columns
from incentive_engine.features.one_user import UserEvents, UserHistory, moment_of

ALL_KINDS = ["order", "visit", "issue", "redeem", "any"]


def history_of(declared: list[dict[str, Any]], **more: Any) -> UserHistory:
    offers = [offer.model_dump(mode="json", exclude_none=True) for offer in OFFERS]
    named = {name: name for name in ("time", "kind", "category", "amount", "campaign")}
    log = {"source": "log.parquet", **named}
    history = {"events": [log], "moments": {"users": "2026-11-10 20:00"}, **more}
    policy = Policy.model_validate(
        {
            "version": 1,
            "name": "spring",
            "offers": offers,
            "history": {**history, "features": declared},
        }
    )
    assert UserHistory.of(policy, {"nothing"}) is None
    assert policy.history is not None
    assert not isinstance(policy.history.features, str)
    columns = history_columns(policy.history.features, policy.offers)
    history_of_user = UserHistory.of(policy, {column.name for column in columns})
    assert history_of_user is not None
    return history_of_user


def events_of(log: pd.DataFrame, *, zone: str | None = None) -> UserEvents:
    if zone is None:
        times: list[str | int] = [*map(int, micros(log["time"]))]
    else:
        local = log["time"].dt.tz_convert(zone)
        times = [moment.isoformat() for moment in local]
    return UserEvents(
        time=times,
        kind=[None if pd.isna(kind) else kind for kind in log["kind"]],
        category=[None if pd.isna(value) else value for value in log["category"]],
        amount=[None if pd.isna(value) else int(value) for value in log["amount"]],
    )


@pytest.mark.parametrize("seed", range(4))
def test_features_of_sent_events_are_those_of_the_log(seed: int) -> None:
    rng = np.random.default_rng(seed)
    log = random_log(rng, users=4, events=200).drop(columns="known")
    declared = random_declarations(rng, 50)
    rows = pd.DataFrame({"user_id": [f"u{i}" for i in range(5)], "moment": MOMENT})
    ours, _ = made(log, rows, declared, delay=pd.Timedelta(45, unit="s"))
    history = history_of(
        [each.model_dump(mode="json", exclude_none=True) for each in declared]
        + [{"count": ["any"], "within": ["7d"]}],
        delay="45s",
    )
    moment = moment_of(MOMENT.tz_convert("Asia/Shanghai").isoformat())
    for place, user in enumerate(rows["user_id"]):
        own = log[log["user_id"] == user]
        zone = "Asia/Shanghai" if place % 2 else None
        features = history.features(events_of(own, zone=zone), moment)
        for name in ours:
            value = features[str(name)]
            expected = float(ours[name].iloc[place])
            assert (np.nan if value is None else value) == pytest.approx(
                expected, abs=0, rel=0, nan_ok=True
            ), name


def test_events_of_a_campaign_that_is_left_out_count_for_nothing() -> None:
    history = history_of([{"count": ["issue"], "within": ["7d"]}], own_campaigns=["spring-trial"])
    sent = UserEvents(
        time=["2026-11-10T00:00:00Z"] * 3,
        kind="issue",
        campaign=["spring-trial", None, "autumn"],
    )
    assert history.features(sent, moment_of("2026-11-10T12:00:00Z")) == {"count_issue_7d": 2}


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (UserEvents(time=["2026-11-10 20:00"], kind="order"), "names no zone in 1 row"),
        (UserEvents(time=["soon"], kind="order"), "is no time in 1 row"),
        (UserEvents(time=["2026-11-10T20:00Z", 7], kind="order"), "more than one type"),
        (UserEvents(time=[7, 1 << 70], kind="order"), "beyond 64 bits"),
        (UserEvents(time=[7], kind="oder"), "kind `oder`.*did you mean `order`"),
        (UserEvents(time=[7], kind=["order", "order"]), "has 2 values, and `time` has 1"),
        (UserEvents(time=[7], kind="order", amount=[10**13]), "is beyond 1,000,000,000,000"),
        (UserEvents(time=[7], kind="order", amount=[1 << 70]), "beyond 64 bits"),
    ],
)
def test_events_that_are_none_are_refused(events: UserEvents, told: str) -> None:
    history = history_of([{"count": ["order", "visit"], "within": ["7d"]}])
    with pytest.raises(DataError, match=told):
        history.features(events, 10**15)


@pytest.mark.parametrize("moment", ["2026-11-10 20:00", "2026-11-10", "now"])
def test_a_moment_names_its_zone(moment: str) -> None:
    with pytest.raises(DataError, match=r"moment: .*zone|no time"):
        moment_of(moment)


def test_a_hundred_thousand_events_take_milliseconds() -> None:
    """The pass itself is measured by benchmarks; here, that nothing is done event by event."""
    rng = np.random.default_rng(0)
    log = random_log(rng, users=1, events=90_000).head(100_000)
    history = history_of(
        [each.model_dump(mode="json", exclude_none=True) for each in random_declarations(rng, 30)]
    )
    if not history.takes_any:
        log = log[log["kind"].isin(ALL_KINDS)]
    sent = events_of(log)
    history.features(sent, moment_of(MOMENT.isoformat()))
    started = time.process_time()
    history.features(sent, moment_of(MOMENT.isoformat()))
    assert time.process_time() - started < 1.0
