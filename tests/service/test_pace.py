"""Prices that are solved anew while a run is served."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

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
