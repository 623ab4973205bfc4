from datetime import datetime

import numpy as np
import pytest

from incentive_engine.config.schedule.campaign import Calendar, Wave
from incentive_engine.simulation.market.traffic import arrivals, times_of

CALENDAR = Calendar.model_validate(
    {
        "waves": [
            {"name": "one", "start": "2026-10-20 20:00", "end": "2026-10-21 20:00", "share": 0.2},
            {"name": "two", "start": "2026-10-22 00:00", "end": "2026-10-23 00:00", "share": 0.7},
        ]
    }
)


def wave(traffic: str) -> Wave:
    return Wave(
        name="x",
        start=datetime(2026, 10, 31, 20),  # noqa: DTZ001 - local time is meant
        end=datetime(2026, 11, 2, 20),  # noqa: DTZ001 - likewise
        share=1.0,
        traffic=traffic,  # type: ignore[arg-type]
    )


def test_each_wave_gets_its_share_and_the_rest_never_comes() -> None:
    arrived = arrivals(np.random.default_rng(1).standard_normal(10_000), CALENDAR)
    assert np.bincount(arrived.wave + 1).tolist() == [1_000, 2_000, 7_000]
    assert np.isinf(arrived.hour[arrived.wave == -1]).all()
    assert len(arrived.order) == 9_000


def test_users_come_within_their_wave_and_the_eager_ones_first() -> None:
    eagerness = np.random.default_rng(2).standard_normal(5_000)
    arrived = arrivals(eagerness, CALENDAR)
    first, second = (arrived.hour[arrived.wave == index] for index in (0, 1))
    assert first.min() >= 0
    assert first.max() <= 24
    assert second.min() >= 28
    assert second.max() <= 52
    assert np.all(np.diff(arrived.hour[arrived.order]) >= 0)
    assert np.all(np.diff(eagerness[arrived.order]) <= 0)


def test_an_opening_is_a_rush() -> None:
    share = np.linspace(0, 1, 1_001)
    opening, daily = (times_of(share, wave(kind)) for kind in ("opening", "daily"))
    assert (opening <= 1).mean() > 4 * (daily <= 1).mean()
    assert opening[-1] == pytest.approx(48)


def test_traffic_follows_the_hours_of_the_day() -> None:
    hours = times_of(np.linspace(0, 1, 20_001), wave("daily"))
    clock = (20 + hours) % 24
    assert ((clock > 20) & (clock < 23)).mean() > 5 * ((clock > 2) & (clock < 5)).mean()


def test_even_traffic_is_even_and_a_last_call_rises() -> None:
    share = np.linspace(0, 1, 101)
    assert times_of(share, wave("even")) == pytest.approx(48 * share, abs=0.1)
    assert np.median(times_of(share, wave("closing"))) > np.median(times_of(share, wave("daily")))
