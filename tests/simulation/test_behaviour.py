"""A market's event log becomes features, and changes nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from incentive_engine.config.document.loading import load_policy
from incentive_engine.config.scenario import CampaignShift, Scenario, World
from incentive_engine.errors import ConfigError
from incentive_engine.simulation.market.chances import DrawSeeds
from incentive_engine.simulation.market.world import draw_people, draw_trial

POLICIES = Path(__file__).parents[2] / "policies"
SEEDS = DrawSeeds.of(seed=3, draw=0, trials=1)


def _world(days: int) -> World:
    return World(market="everyday", users=200, trial_rows=1_000, history_days=days)


def test_history_adds_features_to_the_same_people_and_the_same_trial() -> None:
    policy = load_policy(POLICIES / "everyday.yaml")
    bare, long = (draw_trial(_world(days), policy, SEEDS) for days in (0, 400))
    pd.testing.assert_frame_equal(long.features[list(bare.features)], bare.features)
    assert (long.conversion == bare.conversion).all()
    assert (long.arm == bare.arm).all()
    more = set(long.features) - set(bare.features)
    assert {"recency_order", "ratio_redeem_issue_365d"} <= more
    users = [draw_people(_world(days), policy, SEEDS).users.features for days in (0, 400)]
    assert set(users[1]) - set(users[0]) == more


def test_a_short_log_gives_only_windows_that_it_reaches() -> None:
    policy = load_policy(POLICIES / "everyday.yaml")
    names = set(draw_trial(_world(182), policy, SEEDS).features)
    assert "count_order_90d" in names
    assert "count_order_365d" not in names


def test_only_people_with_a_log_have_history() -> None:
    written = {
        "version": 1,
        "name": "x",
        "policy": POLICIES / "everyday.yaml",
        "source": "world",
        "budgets": [10],
        "draws": 1,
    }
    assert Scenario.model_validate({**written, "world": _world(30)})
    for world in (
        World(market="winback", history_days=30),
        World(market="everyday", campaign=CampaignShift(lapsed_users=0.2)),
    ):
        with pytest.raises((ConfigError, ValueError), match=r"event log|lapsed"):
            Scenario.model_validate({**written, "world": world})
