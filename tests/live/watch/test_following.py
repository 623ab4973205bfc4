"""Looking again and again: each finding is said once, and posted once it is taken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from incentive_engine.errors import DataError, Fault
from incentive_engine.live.watch.finding import Finding
from incentive_engine.live.watch.webhook import Webhook
from incentive_engine.workflow.results.watch_campaign import RunningCampaign
from incentive_engine.workflow.results.watch_lines import follow_campaign, shown_once

from .worlds import World, planned


def test_a_finding_is_said_once_and_posted_until_it_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(run=planned(tmp_path, users=800), ledger=tmp_path / "l", volume=0.3)
    world.play(0.5)
    running = RunningCampaign(run_dir=world.run, ledger=str(world.ledger))
    hours = running.campaign.hours
    assert hours is not None
    assert hours.end is not None
    times = iter([world.now, world.now + 1, world.now + 2, hours.end])
    look = running.look
    monkeypatch.setattr(running, "look", lambda: look(next(times)))
    posts: list[list[str]] = []

    def post(_: Webhook, run: str, findings: Sequence[Finding], **_more: Any) -> None:
        assert run == "run"
        posts.append([finding.key for finding in findings])
        if len(posts) == 1:
            raise DataError(Fault("--webhook", "away"))

    monkeypatch.setattr(Webhook, "post", post)
    said: list[str] = []
    follow_campaign(
        running,
        say=lambda *texts: said.extend(map(str, texts)),
        seconds=60.0,
        webhook="http://localhost/",
        sleep=lambda _: None,
    )
    assert sum("traffic_short:" in line for line in said) == 1
    assert sum("away" in line for line in said) == 1
    assert [keys for keys in posts if "traffic_short" in keys] == posts[:2]


def test_what_to_type_next_names_the_ledger_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(run=planned(tmp_path, users=800), ledger=tmp_path / "l", volume=0.3)
    world.play(0.5)
    running = RunningCampaign(run_dir=world.run, ledger=str(world.ledger))
    seen = running.look(world.now)
    monkeypatch.setattr(running, "look", lambda: seen)
    running.ledger = "postgresql://me:hunter2@db/pool"
    lines = "\n".join(map(str, shown_once(running)))
    assert "--ledger postgresql://me@db/pool --accept 'traffic_short'" in lines
    assert "hunter2" not in lines
