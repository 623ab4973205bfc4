"""Outcomes of a running campaign against the gain that was stated."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incentive_engine.errors import ConfigError
from incentive_engine.live.watch.params import WatchParams
from incentive_engine.stats.sequential import GAIN_TEST
from incentive_engine.workflow.results.watch_campaign import RunningCampaign
from incentive_engine.workflow.results.watch_lines import shown_once

from .worlds import World, planned

BASE = 0.2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planned(tmp_path_factory.mktemp("gained"), users=4000, holdout=0.3)


@pytest.fixture(scope="module")
def played(run: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(run=run, ledger=tmp_path_factory.mktemp("ledger") / "l")
    world.play(0.9)
    return world


def outcomes(world: World, folder: Path, effect: float, *, habit: bool = False) -> Path:
    """Write what users did, with `effect` more conversions from those who get an offer."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(world.rows)
    chance = np.where(rng.random(len(frame)) < 0.5, 2 * BASE, 0.0) if habit else BASE
    offered = (frame["offer_id"].notna()).to_numpy()
    bought = rng.random(len(frame)) < chance + effect * offered
    table = pd.DataFrame({"user_id": frame["user_id"], "conversion": bought.astype(int)})
    table.to_csv(folder / "outcomes.csv", index=False)
    pd.DataFrame({"user_id": frame["user_id"], "before": chance + np.zeros(len(frame))}).to_csv(
        folder / "before.csv", index=False
    )
    return folder / "outcomes.csv"


def running(world: World, folder: Path, effect: float) -> RunningCampaign:
    return RunningCampaign(
        run_dir=world.run, ledger=str(world.ledger), outcomes=outcomes(world, folder, effect)
    )


def stated(world: World) -> float:
    """Return what the plan adds per user with an offer, by the scores."""
    frame = pd.DataFrame(world.rows)
    return float(frame.loc[frame["offer_id"].notna(), "conversion"].mean())


def test_offers_that_put_users_off_are_found_and_a_gain_as_stated_is_not(
    played: World, tmp_path: Path
) -> None:
    put_off = running(played, tmp_path, -0.15).look(played.now)
    assert "gain_below" in {finding.key for finding in put_off.findings}
    as_stated = running(played, tmp_path, stated(played)).look(played.now)
    assert not {finding.kind for finding in as_stated.findings} & {"gain_below", "gain_above"}


def test_those_are_compared_who_get_an_offer_at_the_plans_prices(
    played: World, tmp_path: Path
) -> None:
    seen = running(played, tmp_path, stated(played)).look(played.now)
    assert seen.compared is not None
    assert seen.compared.by_prices
    frame = pd.DataFrame(played.rows)
    offered = int(frame["offer_id"].notna().sum())
    # outcomes of those who came in the last two hours do not count yet
    ripe = played.forecast.share(played.now - WatchParams().settled_after)
    assert len(seen.compared.rows) == pytest.approx(offered / 0.7 * ripe, rel=0.05)
    assert seen.compared.stated.value == pytest.approx(stated(played), rel=0.01)


def test_what_was_known_before_narrows_what_outcomes_say(played: World, tmp_path: Path) -> None:
    did = outcomes(played, tmp_path, 0.0, habit=True)
    alone = RunningCampaign(run_dir=played.run, ledger=str(played.ledger), outcomes=did)
    helped = RunningCampaign(
        run_dir=played.run,
        ledger=str(played.ledger),
        outcomes=did,
        covariates=tmp_path / "before.csv",
    )
    wide, narrow = (one.look(played.now).compared for one in (alone, helped))
    assert wide is not None
    assert narrow is not None
    # a habit that explains a quarter of the variance takes an eighth off the error
    ratio = narrow.measured.standard_error / wide.measured.standard_error
    assert ratio == pytest.approx(np.sqrt(0.75), abs=0.05)


def test_the_watch_says_which_shortfall_it_would_notice_by_when(
    played: World, tmp_path: Path
) -> None:
    lines = list(
        shown_once(running(played, tmp_path, stated(played)), webhook=None, as_json=False)
    )
    text = "\n".join(map(str, lines))
    assert "outcomes so far" in text
    assert "no gain at all is noticed" in text
    assert "at most 5% of weeks with 1 such campaigns" in text
    (content,) = shown_once(running(played, tmp_path, stated(played)), webhook=None, as_json=True)
    gain = json.loads(str(content))["gain"]
    assert gain["stated"]["estimate"] == pytest.approx(stated(played), rel=0.01)


def test_campaigns_of_a_week_share_the_error() -> None:
    assert WatchParams().of_gain == pytest.approx(GAIN_TEST.error)
    seven = WatchParams(campaigns=7)
    assert seven.of_test == pytest.approx(WatchParams().of_test / 7)
    assert seven.of_gain == pytest.approx(WatchParams().of_gain / 7)
    with pytest.raises(ConfigError, match="campaigns"):
        WatchParams(campaigns=0)
