"""An export books what it hands out into the pool, once, beside a server or without one."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from incentive_engine.export.export import ExportOptions
from incentive_engine.export.preflight import WARNINGS
from incentive_engine.verify.ledgers.ledger import verify_ledger
from incentive_engine.workflow import delivery
from service.runs import plan, solved
from service.servers import serving


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return solved(tmp_path_factory.mktemp("batch"))


def exported(run: Path, to: Path, ledger: Path) -> tuple[str, ...]:
    target = delivery.Target(to=str(to))
    options = ExportOptions()
    lines = delivery.export(
        run, target=target, options=options, ledger=str(ledger), accepted=sorted(WARNINGS)
    )
    return tuple(map(str, lines))


def users_of(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8-sig") as stream:
        yield from (row["user_id"] for row in csv.DictReader(stream))


def test_what_a_batch_hands_out_is_reserved_once(run: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    exported(run, tmp_path / "a.csv", ledger)
    exported(run, tmp_path / "b.csv", ledger)
    treated = [row["user_id"] for row in plan(run) if row["offer_id"]]
    assert list(users_of(tmp_path / "a.csv")) == list(users_of(tmp_path / "b.csv")) == treated
    verification = verify_ledger(run, str(ledger))
    assert verification.ok, verification.to_text()
    cost = sum(row["cost_micros"] for row in plan(run))
    with serving(run, "--ledger", str(ledger)) as server:
        assert Decimal(server.caller().pool()["budget"]["reserved"]) * 1_000_000 == cost
        decision = server.caller().user(treated[0]).json["decision"]
        assert (decision["state"], decision["scene"]) == ("reserved", "export")
        assert server.caller().redeem(decision["decision_id"], "1").status == 200


def test_a_batch_beside_a_server_takes_what_is_left(run: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    treated = [row["user_id"] for row in plan(run) if row["offer_id"]]
    with serving(run, "--ledger", str(ledger)) as server:
        caller = server.caller()
        assert caller.decide(treated[0]).json["state"] == "reserved"
        told = exported(run, tmp_path / "a.csv", ledger)
        assert any("1 offers stay" in line for line in told)
        assert list(users_of(tmp_path / "a.csv")) == treated[1:]
        assert caller.decide(treated[1]).json["scene"] == "export"
    verification = verify_ledger(run, str(ledger))
    assert verification.ok, verification.to_text()
