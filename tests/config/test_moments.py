from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from incentive_engine.config.document.loading import load_policy
from incentive_engine.config.policy import Policy
from incentive_engine.config.schedule.moments import in_zone
from incentive_engine.errors import ConfigError

from .policies import write

OFFER = "offers:\n  - {{id: a, face_value: 1, {}}}\n"


def policy(folder: Path, offer: str, more: str = "") -> Policy:
    text = f"version: 1\nname: n\n{more}" + OFFER.format(offer)
    return load_policy(write(folder, text), require_data=False)


def test_a_day_alone_is_meant_to_its_end_where_something_ends(tmp_path: Path) -> None:
    offer = policy(tmp_path, "valid_from: 2026-11-01, valid_to: 2026-11-11").offers[0]
    assert offer.valid_from == datetime(2026, 11, 1)  # noqa: DTZ001 - local time, as written
    assert offer.valid_to == datetime(2026, 11, 11, 23, 59, 59)  # noqa: DTZ001 - likewise


def test_times_survive_a_round_through_json(tmp_path: Path) -> None:
    made = policy(tmp_path, "valid_from: 2026-11-01 20:00, valid_to: 2026-11-11 00:00")
    again = Policy.model_validate(made.model_dump(mode="json"))
    assert again.offers == made.offers


@pytest.mark.parametrize(
    ("offer", "more", "message"),
    [
        ("valid_to: soon", "", "'soon' is not a time"),
        ("valid_from: 2026-11-01T00:00+08:00", "", "is not a time"),
        ("valid_from: 2026-11-12, valid_to: 2026-11-11", "", "it could never be redeemed"),
        ("valid_to: 20261111", "", "20261111 is not a time"),
        ("min_spend: 3", "timezone: Asia/Shangai\n", "did you mean `Asia/Shanghai`?"),
        ("min_spend: 3", "timezone: CST\n", "no time zone is called `CST`"),
    ],
)
def test_what_is_no_time_is_refused_with_a_remedy(
    offer: str, more: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as raised:
        policy(tmp_path, offer, more)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("zone", "offset"), [("Asia/Shanghai", "+08:00"), ("America/New_York", "-05:00")]
)
def test_a_time_in_a_zone_carries_its_offset(zone: str, offset: str) -> None:
    moment: Any = datetime(2026, 11, 11, 9)  # noqa: DTZ001 - local time, as written
    assert in_zone(moment, zone).isoformat() == f"2026-11-11T09:00:00{offset}"
