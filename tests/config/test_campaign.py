"""The time of a live campaign, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from incentive_engine.config.document.loading import load_policy
from incentive_engine.config.policy import Policy
from incentive_engine.errors import ConfigError

from .policies import write

TEXT = "version: 1\nname: n\noffers: [{{id: a, face_value: 1}}]\ncampaign: {}\n"
DAY = "start: 2026-11-11 00:00, end: 2026-11-12 00:00"


def policy(folder: Path, campaign: str) -> Policy:
    return load_policy(write(folder, TEXT.format(f"{{{campaign}}}")), require_data=False)


def test_a_campaign_says_when_it_runs_and_how_often_prices_are_solved(tmp_path: Path) -> None:
    campaign = policy(tmp_path, f"{DAY}, traffic: opening, reprice: 5m").campaign
    assert campaign is not None
    assert campaign.reprice.micros == 300_000_000
    assert (campaign.wave.start, campaign.wave.traffic) == (campaign.start, "opening")


def test_a_campaign_survives_a_round_through_json(tmp_path: Path) -> None:
    made = policy(tmp_path, DAY)
    assert Policy.model_validate(made.model_dump(mode="json")).campaign == made.campaign


@pytest.mark.parametrize(
    ("campaign", "message"),
    [
        ("start: 2026-11-12 00:00, end: 2026-11-11 00:00", "is not after"),
        (f"{DAY}, reprice: 2d", "longer than the campaign"),
        (f"{DAY}, reprice: 0s", "longer than 0"),
        (f"{DAY}, reprice: soon", "'soon' is no length of time"),
        (f"{DAY}, traffic: oddly", "traffic"),
        (f"{DAY}, share: 0", "share"),
        (f"{DAY}, repriec: 5m", "did you mean `reprice`"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, campaign: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        policy(tmp_path, campaign)
