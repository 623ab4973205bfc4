"""Prices of a served run where its budget is held at face value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incentive_engine.domain import MICROS
from incentive_engine.live.campaign import Choice, LiveCampaign
from incentive_engine.live.ledger.commands import Pool, Reserve, ShowPool
from incentive_engine.live.ledger.ledger import Ledger, open_store
from incentive_engine.live.opening import open_campaign
from incentive_engine.live.repricing import Repricer
from service.runs import plan, solved

DAY = {"start": "2026-11-11 00:00", "end": "2026-11-12 00:00", "traffic": "even"}
MINUTE = 60 * MICROS
AMOUNT = 400.0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of 400 users whose faces come to far more than its budget."""
    loose: dict[str, Any] = {"limits": [], "holdout": None}
    folder = tmp_path_factory.mktemp("faces")
    return solved(
        folder, users=400, budget={"amount": AMOUNT, "basis": "face"}, campaign=DAY, demands=loose
    )


def repricer_of(campaign: LiveCampaign, ledger: str, hold: int | None) -> Repricer:
    repricer = Repricer.of(campaign, ledger, hold=hold)
    assert repricer is not None
    return repricer


def pool_of(ledger: Ledger) -> Pool:
    (pool,) = ledger.apply([ShowPool()], 0)
    assert isinstance(pool, Pool)
    return pool


def test_faces_that_come_back_are_given_for_what_they_cost_from_the_start(
    run: Path, tmp_path: Path
) -> None:
    campaign, place = open_campaign(run), str(tmp_path / "ledger")
    users = [row["user_id"] for row in plan(run)]
    planned = [campaign.choose(user) for user in users]
    faces = sum(choice.face for choice in planned if choice is not None)
    ledger = Ledger(open_store(place, campaign.terms))
    repricer = repricer_of(campaign, place, 15 * MINUTE)
    now = repricer.forecast.start + 1
    current = repricer.reprice(pool_of(ledger), now, campaign.prices, None)
    campaign.prices = current.prices
    chosen = [choice for user in users if (choice := campaign.choose(user)) is not None]
    # faces of a quarter of an hour fit at any time, and what is redeemed fits in the end
    assert current.prices.by_limit["budget"] < 0.1 * current.prices.per_cost
    assert sum(choice.face for choice in chosen) > 1.5 * faces
    spent = sum(choice.cost for choice in chosen) / MICROS
    assert 0.85 * AMOUNT < spent < 1.01 * AMOUNT
    ledger.close()


def test_faces_that_never_come_back_keep_the_prices_of_the_plan(run: Path, tmp_path: Path) -> None:
    campaign, place = open_campaign(run), str(tmp_path / "ledger")
    ledger = Ledger(open_store(place, campaign.terms))
    repricer = repricer_of(campaign, place, None)
    now = repricer.forecast.start + 1
    prices = repricer.reprice(pool_of(ledger), now, campaign.prices, None).prices
    assert prices.per_cost == 0.0
    assert prices.by_limit["budget"] == pytest.approx(campaign.prices.by_limit["budget"], rel=0.05)
    assert not repricer.faces_return
    ledger.close()


def test_close_to_the_end_faces_must_fit_as_they_are(run: Path, tmp_path: Path) -> None:
    campaign, place = open_campaign(run), str(tmp_path / "ledger")
    ledger = Ledger(open_store(place, campaign.terms))
    repricer = repricer_of(campaign, place, 480 * MINUTE)
    now = repricer.forecast.start + 1
    early = repricer.reprice(pool_of(ledger), now, campaign.prices, None)
    late = repricer.forecast.end - 420 * MINUTE
    pool = pool_of(ledger)
    settled = tuple(limit._replace(settled=370 * MICROS) for limit in pool.limits)
    nearly_spent = pool._replace(limits=settled)
    prices = repricer.reprice(nearly_spent, late, early.prices, early).prices
    assert prices.per_cost == 0.0
    assert prices.by_limit["budget"] > 0
    ledger.close()


def test_what_is_given_is_compared_with_what_it_costs_in_the_end(
    run: Path, tmp_path: Path
) -> None:
    campaign, place = open_campaign(run), str(tmp_path / "ledger")
    ledger = Ledger(open_store(place, campaign.terms))
    repricer = repricer_of(campaign, place, 15 * MINUTE)
    now = repricer.forecast.start + 1
    early = repricer.reprice(pool_of(ledger), now, campaign.prices, None)
    campaign.prices = early.prices
    dear = early.prices.next({"budget": 0.5})
    for user in (row["user_id"] for row in plan(run)[:60]):
        choice = campaign.choose(user)
        assert choice is not None
        ledger.apply([reserved(user, choice)], now)
    later = repricer.reprice(pool_of(ledger), now + 30 * MINUTE, early.prices, early)
    # at the prices of one solve, nobody gets what is worth less than it costs
    assert later.foresight == pytest.approx(1.0, abs=0.02)
    # from whatever prices the search for the best begins
    again = repricer.reprice(pool_of(ledger), now + 30 * MINUTE, dear, early)
    assert again.foresight == pytest.approx(later.foresight, abs=1e-4)
    ledger.close()


def reserved(user: str, choice: Choice) -> Reserve:
    """Return a reservation for a user that is never redeemed."""
    return Reserve(
        key=user.encode().ljust(16)[:16],
        digest=b"",
        user_id=user,
        offer_id=choice.offer_id,
        reason=choice.reason,
        scene=None,
        cost=choice.cost,
        face=choice.face,
        claims=choice.claims,
        hold=15 * MINUTE,
        until=None,
        prices_version=1,
        propensity=1.0,
    )
