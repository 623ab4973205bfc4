"""What is found of campaigns whose budget is held at face value, and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.domain import BUDGET, MICROS
from incentive_engine.live.watch.finding import Finding
from incentive_engine.live.watch.look import Look
from incentive_engine.live.watch.params import WatchParams
from incentive_engine.live.watch.watching import Watch
from service.runs import solved

from .worlds import DAY, World, of_faces

MINUTE = 60 * MICROS
EVER = 10**6 * MINUTE


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return of_faces(tmp_path_factory.mktemp("faces"), users=6000)


def findings(world: World, params: WatchParams | None = None) -> tuple[Finding, ...]:
    watch = Watch(world.run, world.campaign, params=params)
    return watch.findings(watch.read(str(world.ledger)), world.now)


def look_at(world: World) -> Look:
    watch = Watch(world.run, world.campaign)
    return watch.look(watch.read(str(world.ledger)), world.now)


@pytest.mark.parametrize("minutes", [15, 120])
def test_faces_that_fill_the_pool_and_come_back_warn_of_nothing(
    run: Path, tmp_path: Path, minutes: int
) -> None:
    hold = minutes * MINUTE
    world = World(run=run, ledger=tmp_path / "l", hold=hold, every=30 * MINUTE)
    nearly = 0.0
    for share in (0.6, 0.9, 0.92, 0.94):
        world.play(share)
        assert findings(world) == ()
        (budget,) = look_at(world).observed.pool
        nearly = max(nearly, (budget.reserved + budget.settled) / (budget.at_most or 1))
    assert nearly > 0.95  # held and spent together, as the watch once took for used


def test_faces_whose_redemptions_use_the_budget_up_are_found_hours_before(
    run: Path, tmp_path: Path
) -> None:
    more = {"a": 1.7, "b": 1.7}
    world = World(run=run, ledger=tmp_path / "l", redeemed=more, hold=15 * MINUTE, every=EVER)
    world.play(0.2)
    while "runs_dry" not in {finding.kind for finding in findings(world)}:
        world.play(world.forecast.share(world.now + 60 * MINUTE))
    (budget,) = look_at(world).observed.pool
    most = budget.at_most
    assert most is not None
    assert budget.settled < 0.8 * most
    world.play(0.9)
    (budget,) = look_at(world).observed.pool
    assert budget.settled > 0.98 * most  # it did run dry


def test_new_prices_for_faces_that_come_back_charge_what_they_cost(
    run: Path, tmp_path: Path
) -> None:
    world = World(run=run, ledger=tmp_path / "l", volume=0.6, hold=15 * MINUTE, every=EVER)
    world.play(0.45)
    (finding,) = findings(world)
    assert finding.key == "traffic_short"
    proposal = finding.proposal
    assert proposal is not None
    assert proposal.now is not None
    assert proposal.then is not None
    assert proposal.change.prices is not None
    # faces of a quarter of an hour leave room for all who come
    per_cost = proposal.change.prices[Prices.COSTS]
    assert per_cost > 5 * proposal.change.prices[BUDGET]
    assert per_cost < world.campaign.prices.per_cost
    assert proposal.to_dict()["price_per_cost"] == per_cost
    assert proposal.to_dict()["prices"].keys() == {BUDGET}
    assert proposal.then.value > proposal.now.value
    (budget,) = look_at(world).observed.pool
    left = ((budget.at_most or 0) - budget.settled) / MICROS
    assert proposal.then.spent == pytest.approx(left, rel=0.1)
    world.act(proposal.change)
    assert world.campaign.prices.per_cost == per_cost


def test_what_is_left_is_what_the_prices_of_a_server_leave(run: Path, tmp_path: Path) -> None:
    world = World(run=run, ledger=tmp_path / "l", hold=120 * MINUTE, every=60 * MINUTE)
    world.play(0.5)
    look = look_at(world)
    assert look.returns is not None
    assert world.repricer is not None
    served = world.repricer.returns
    assert (look.returns.hold, look.returns.measures) == (served.hold, served.measures)
    pool, now, chance = look.observed.pool, look.now, look.chance
    assert look.returns.left(pool, now, chance) == served.left(pool, now, chance)


def test_a_hold_beyond_the_campaign_brings_nothing_back(run: Path, tmp_path: Path) -> None:
    world = World(run=run, ledger=tmp_path / "l", hold=25 * 60 * MINUTE)
    world.play(0.3)
    look = look_at(world)
    (budget,) = look.observed.pool
    assert look.kept(budget) == budget.reserved + budget.settled
    assert look.returns is not None
    assert not look.returns.faces_return


def test_faces_held_longer_than_patience_count_as_they_are_expected_to_cost(
    run: Path, tmp_path: Path
) -> None:
    world = World(run=run, ledger=tmp_path / "l", hold=120 * MINUTE, every=60 * MINUTE)
    world.play(0.5)
    assert findings(world, WatchParams(patience=60 * MINUTE)) == ()


@pytest.mark.parametrize("basis", ["expected", "at-risk"])
def test_what_is_held_as_expected_counts_in_full(tmp_path: Path, basis: str) -> None:
    budget = {"amount": 400.0, "basis": basis}
    run = solved(tmp_path / "r", users=500, budget=budget, campaign=DAY)
    world = World(run=run, ledger=tmp_path / "l", hold=120 * MINUTE)
    world.play(0.4)
    look = look_at(world)
    assert look.returns is not None
    left = look.returns.left(look.observed.pool, look.now, look.chance)
    for limit in look.observed.pool:
        used = limit.reserved + limit.margin + limit.settled
        assert look.kept(limit) == used
        assert look.stays(limit.name) == 1.0
        if limit.at_most is not None:
            unit = 1 if limit.is_count else MICROS
            assert left[limit.name].at_most == (limit.at_most - used) / unit
    assert any(limit.reserved for limit in look.observed.pool)
    planner = Watch(run, world.campaign).planner
    assert Prices.COSTS not in planner.rest(look).prices(world.campaign.prices.by_name())
