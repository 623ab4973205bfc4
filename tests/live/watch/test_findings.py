"""What is found of a campaign that goes to plan, and of those that do not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from incentive_engine.domain import MICROS
from incentive_engine.errors import ConfigError, DataError
from incentive_engine.live.actions import Change
from incentive_engine.live.ledger.stores.sqlite_store import connect_read_only
from incentive_engine.verify.ledgers.ledger import verify_ledger
from incentive_engine.workflow.results.watch_campaign import accept, decline, find_findings

from .worlds import World, planned


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planned(tmp_path_factory.mktemp("watched"))


def found(world: World) -> dict[str, str]:
    findings = find_findings(world.run, str(world.ledger), world.now)
    return {finding.key: str(finding.severity) for finding in findings}


def test_nothing_is_found_while_all_goes_to_plan(run: Path, tmp_path: Path) -> None:
    world = World(run=run, ledger=tmp_path / "l")
    for share in (0.02, 0.3, 0.6, 0.99):
        world.play(share)
        assert found(world) == {}


def test_short_traffic_is_found_with_prices_that_spend_what_is_left(
    run: Path, tmp_path: Path
) -> None:
    world = World(run=run, ledger=tmp_path / "l", volume=0.6)
    world.play(0.4)
    (finding,) = find_findings(run, str(world.ledger), world.now)
    assert finding.key == "traffic_short"
    assert finding.proposal is not None
    assert finding.proposal.now is not None
    assert finding.proposal.then is not None
    assert finding.proposal.then.value > finding.proposal.now.value
    assert finding.since is not None
    assert world.forecast.start < finding.since <= world.now


def test_an_offer_that_is_redeemed_twice_as_often_is_found_and_so_is_what_follows(
    run: Path, tmp_path: Path
) -> None:
    world = World(run=run, ledger=tmp_path / "l", redeemed={"a": 2.0})
    world.play(0.45)
    keys = found(world)
    assert "redemption_above:a" in keys
    assert "runs_dry:budget" in keys
    assert not any(key.endswith(":b") for key in keys)


def test_an_offer_that_nobody_takes_is_to_be_paused(run: Path, tmp_path: Path) -> None:
    world = World(run=run, ledger=tmp_path / "l", redeemed={"a": 0.0})
    world.play(0.7)
    findings = find_findings(run, str(world.ledger), world.now)
    # the floor is one of money that is really spent, so it is behind as well
    assert {finding.key for finding in findings} == {"untaken:a", "floor_behind:north floor"}
    (finding,) = (finding for finding in findings if finding.kind == "untaken")
    assert finding.proposal is not None
    assert finding.proposal.change.paused == ("a",)
    (floor,) = (finding for finding in findings if finding.kind == "floor_behind")
    assert re.search(r"gets \d+\.\d\d by the end .* \d+\.\d\d is settled so far", str(floor.text))


def test_one_user_of_the_holdout_with_an_offer_is_enough(run: Path, tmp_path: Path) -> None:
    world = World(run=run, ledger=tmp_path / "l", leaks=1)
    world.play(0.1)
    assert found(world) == {"holdout_leaking": "error"}


def test_a_ledger_of_another_run_is_refused(run: Path, tmp_path: Path) -> None:
    world = World(run=run, ledger=tmp_path / "l")
    world.play(0.05)
    other = planned(tmp_path / "other", users=500)
    with pytest.raises(DataError, match="ledger of another run"):
        find_findings(other, str(world.ledger), world.now)


def test_what_is_accepted_is_written_down_obeyed_and_looked_at_anew(
    run: Path, tmp_path: Path
) -> None:
    world = World(run=run, ledger=tmp_path / "l", volume=0.6)
    world.play(0.4)
    before = dict(world.campaign.prices.by_limit)
    action = accept(run, str(world.ledger), "traffic_short", by="Li Na", now=world.now)
    assert (action.name, action.verb, action.key) == ("Li Na", "accepted", "traffic_short")
    world.campaign.obey(Change.from_json(action.change))
    assert world.campaign.prices.by_limit["budget"] < before["budget"]
    assert "traffic_short" not in found(world)
    with pytest.raises(DataError, match="was accepted by Li Na"):
        accept(run, str(world.ledger), "traffic_short", by="Wang", now=world.now)


def test_what_is_declined_stays_declined(run: Path, tmp_path: Path) -> None:
    world = World(run=run, ledger=tmp_path / "l", volume=0.6)
    world.play(0.4)
    decline(run, str(world.ledger), "traffic_short", by="Li Na", now=world.now)
    (finding,) = find_findings(run, str(world.ledger), world.now)
    assert finding.answered is not None
    assert (finding.answered.verb, finding.answered.name) == ("declined", "Li Na")
    assert finding.proposal is None
    with pytest.raises(DataError, match="was declined by Li Na"):
        accept(run, str(world.ledger), "traffic_short", by="Wang", now=world.now)


def test_unknown_keys_and_nobody_are_refused(run: Path, tmp_path: Path) -> None:
    world = World(run=run, ledger=tmp_path / "l", volume=0.6)
    world.play(0.4)
    with pytest.raises(DataError, match="did you mean `traffic_short`"):
        accept(run, str(world.ledger), "trafic_short", by="Li", now=world.now)
    for nobody in ("", "  ", "a\nb"):
        with pytest.raises(ConfigError, match="names nobody"):
            accept(run, str(world.ledger), "traffic_short", by=nobody, now=world.now)


def test_paused_offers_blocked_users_and_lower_caps_bind_at_once(
    run: Path, tmp_path: Path
) -> None:
    world = World(run=run, ledger=tmp_path / "l")
    world.play(0.1)
    user = next(row["user_id"] for row in world.rows if row["offer_id"] == "b")
    world.act(Change(paused=("a",), blocked=(user,), at_most={"budget": 300 * MICROS}))
    blocked = world.campaign.choose(user)
    assert blocked is not None
    assert blocked.offer_id is None
    chosen = [world.campaign.choose(row["user_id"]) for row in world.rows[:500]]
    assert {choice.offer_id for choice in chosen if choice is not None} == {None, "b"}
    world.play(0.9)
    file = connect_read_only(world.ledger)
    (used,) = file.execute("SELECT reserved + settled FROM pool WHERE name = 'budget'").fetchone()
    file.close()
    assert used <= 330 * MICROS  # what was open may have cost more than expected, by a few
    assert verify_ledger(run, str(world.ledger)).ok
