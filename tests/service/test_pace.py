"""Prices that are solved anew while a run is served."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.postgres_server import binaries
from export.postgres_server import server as database_server
from incentive_engine.live.arrivals import ArrivalReader
from incentive_engine.live.opening import open_campaign

from .runs import plan, solved
from .servers import serving


def hours(begin: float, end: float) -> dict[str, Any]:
    """Return a campaign that began, and ends, so many hours from now."""
    now = datetime.now(UTC)
    start, stop = (f"{now + timedelta(hours=shift):%Y-%m-%d %H:%M:%S}" for shift in (begin, end))
    return {"start": start, "end": stop, "traffic": "even", "reprice": "1s"}


def test_prices_are_solved_anew_and_numbered_while_the_campaign_runs(tmp_path: Path) -> None:
    run = solved(tmp_path / "paced", users=200, campaign=hours(-1, 1))
    rows = plan(run)
    with serving(run, "--ledger", str(tmp_path / "l")) as server:
        caller = server.caller()
        assert all(caller.decide(row["user_id"]).status == 200 for row in rows[:20])
        until = time.monotonic() + 60
        while time.monotonic() < until:
            shown = caller.call("GET", "/v1/pool").json
            if shown["prices_version"] >= 2:
                break
            time.sleep(0.2)
        assert shown["prices_version"] >= 2
        later = [caller.decide(row["user_id"]).json for row in rows[20:]]
        assert max(answer["prices_version"] for answer in later) >= 2
        held = {row["user_id"] for row in rows if row["reason"] == "holdout"}
        assert all(a["offer_id"] is None for a in later if a["user_id"] in held)
        pool = caller.pool()
        assert float(pool["budget"]["available"]) >= 0
        assert float(pool["stock"]["available"]) >= 0


def test_a_campaign_that_has_not_begun_or_is_over_decides_nothing(tmp_path: Path) -> None:
    for name, begin, end, word in (("early", 1, 2, "not begun"), ("late", -2, -1, "over")):
        run = solved(tmp_path / name, campaign=hours(begin, end))
        with serving(run, "--ledger", str(tmp_path / f"{name}.ledger")) as server:
            answer = server.caller().decide(plan(run)[0]["user_id"])
            assert answer.status == 409
            assert word in answer.json["detail"]


def test_a_run_without_a_campaign_keeps_the_prices_of_its_plan(tmp_path: Path) -> None:
    run = solved(tmp_path / "plain")
    with serving(run, "--ledger", str(tmp_path / "l")) as server:
        caller = server.caller()
        time.sleep(1.5)
        assert caller.call("GET", "/v1/pool").json["prices_version"] == 0


def versions(shown: Any, least: int, seconds: float = 60.0) -> Any:
    """Return the pool once its prices have a version, at least."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and shown()["prices_version"] < least:
        time.sleep(0.1)
    return shown()


def test_prices_and_arrivals_go_on_when_a_server_is_started_again(tmp_path: Path) -> None:
    run, ledger = solved(tmp_path / "paced", users=200, campaign=hours(-1, 1)), str(tmp_path / "l")
    rows = plan(run)
    with serving(run, "--ledger", ledger) as server:
        caller = server.caller()
        for row in rows[:50]:
            caller.decide(row["user_id"])
        before = versions(lambda: caller.call("GET", "/v1/pool").json, 2)
        assert 0.5 < before["foresight"] <= 1.0
    with serving(run, "--ledger", ledger) as server:
        caller = server.caller()
        again = caller.call("GET", "/v1/pool").json
        assert again["prices_version"] >= before["prices_version"]
        for row in rows[40:80]:
            caller.decide(row["user_id"])
        versions(lambda: caller.call("GET", "/v1/pool").json, again["prices_version"] + 1)
    campaign = open_campaign(run)
    edges = np.array([0.0, 1e18])
    arrivals = ArrivalReader(
        ledger, campaign.population, edges=edges, limits=len(campaign.terms.limits)
    )
    arrivals.read()
    arrivals.read()
    assert arrivals.seen.tolist() == [True] * 80 + [False] * 120
    assert arrivals.counts.tolist() == [80]
    given = {row["user_id"] for row in rows[:50] if row["offer_id"]}
    first = [campaign.population.row_of(user) for user in given]
    assert all(arrivals.offer[row] >= 0 for row in first if row is not None)


@pytest.mark.skipif(binaries() is None, reason="no PostgreSQL server: make postgres")
def test_servers_on_one_ledger_share_prices_and_arrivals(tmp_path: Path) -> None:
    run = solved(tmp_path / "paced", users=200, campaign=hours(-1, 1))
    rows = plan(run)
    programs = binaries()
    assert programs is not None
    with (
        database_server(programs) as url,
        serving(run, "--ledger", url) as one,
        serving(run, "--ledger", url) as two,
    ):
        callers = one.caller(), two.caller()
        for turn, row in enumerate(rows[:60]):
            callers[turn % 2].decide(row["user_id"])
        shown = [lambda own=caller: own.call("GET", "/v1/pool").json for caller in callers]
        newest = max(versions(pool, 2)["prices_version"] for pool in shown)
        pools = [versions(pool, newest) for pool in shown]
        assert min(pool["prices_version"] for pool in pools) >= newest
        campaign = open_campaign(run)
        limits = len(campaign.terms.limits)
        edges = np.array([0.0, 1e18])
        arrivals = ArrivalReader(url, campaign.population, edges=edges, limits=limits)
        arrivals.read()
        assert arrivals.counts.tolist() == [60]
