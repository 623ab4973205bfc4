"""The power goes, the disk fills, or it fails, at each step that a ledger makes on its disk.

All steps of three histories are tried; those of twenty by

    INCENTIVE_POWER_CUTS=20 pytest tests/live/test_power_cuts.py
"""

from __future__ import annotations

import gc
import os
import random
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import pytest

from incentive_engine.errors import IncentiveError
from incentive_engine.live.ledger.commands import (
    Answer,
    Cancel,
    Command,
    Decided,
    Find,
    Redeem,
    Reserve,
)
from incentive_engine.live.ledger.ledger import Ledger
from incentive_engine.live.ledger.stores.sqlite_store import SQLiteStore
from incentive_engine.live.ledger.stores.store import UnavailableError

from .ledgers import BUDGET, HOLD, SECRET, START, STOCK, YUAN, cancel, redeem, reserve, terms
from .simulation import check_books
from .virtual_disk import Connection, Disk

HISTORIES = int(os.environ.get("INCENTIVE_POWER_CUTS", "3"))
BATCHES = 8
STATED = terms(budget=10**3 * YUAN, stock=10**3)
Told = list[tuple[Command, Answer]]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Disk], None]]:
    """Yield what puts ledgers on a disk."""

    def plug_in(disk: Disk) -> None:
        monkeypatch.setattr(sqlite3, "connect", lambda path, **_: Connection(disk, path))

    # SQLite goes on for some steps after one that failed; nobody waits for their errors
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    yield plug_in
    gc.collect()


def history(place: Path, seed: int, told: Told) -> None:
    """Let a ledger answer some batches, rest and be opened again; note what it has answered."""
    rng = random.Random(seed)  # noqa: S311 - a history
    own = Ledger(SQLiteStore(place, STATED, secret=SECRET))
    try:
        for turn in range(BATCHES):
            batch = [step(rng, told, f"{seed} {turn} {number}") for number in range(3)]
            answers = own.apply(batch, START + turn * HOLD // 3)
            told += zip(batch, answers, strict=True)
            if rng.random() < 0.3:
                own.store.rest()
    finally:
        own.close()


def step(rng: random.Random, told: Told, name: str) -> Command:
    names = [answer.name for _, answer in told if isinstance(answer, Decided)]
    kind = rng.choice(["reserve", "reserve", "redeem", "cancel"])
    if kind == "reserve" or not names:
        claims = ((BUDGET, YUAN), (STOCK, 1))
        return reserve(name, cost=YUAN, claims=claims, named=name.encode().ljust(16))
    chosen = rng.choice(names)
    return redeem(chosen, YUAN) if kind == "redeem" else cancel(chosen)


def expect_all_of(told: Told, place: Path, disk: Disk) -> None:
    """See that a ledger holds what it answered, and nothing half."""
    own = Ledger(SQLiteStore(place, STATED, secret=SECRET))
    asked: list[Command] = [command for command, _ in told if isinstance(command, Reserve)]
    answers = [answer for command, answer in told if isinstance(command, Reserve)]
    assert own.apply(asked, START) == answers
    for command, answer in told:
        if isinstance(command, Redeem | Cancel) and isinstance(answer, Decided):
            assert own.apply([Find(command.decision)], START) == [answer]
    own.apply([reserve("one more", cost=YUAN)], START)
    own.close()
    with disk.connected(place) as file:
        check_books(file, STATED)


def steps_of(place: Path, plug: Callable[[Disk], None], seed: int) -> int:
    disk = Disk()
    plug(disk)
    told: Told = []
    history(place, seed, told)
    steps = disk.steps
    expect_all_of(told, place, disk)
    return steps


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_a_power_cut_at_any_step_loses_nothing_that_was_answered(
    place: Path, plug: Callable[[Disk], None], seed: int
) -> None:
    for step in range(1, steps_of(place, plug, seed) + 1):
        cut(place, plug, seed=seed, step=step)


def cut(
    place: Path, plug: Callable[[Disk], None], *, seed: int, step: int, **disk_is: Any
) -> None:
    """Cut the power at a step of a history, and see what is left when it is back."""
    disk = Disk()
    disk.fails_at = step
    for name, value in disk_is.items():
        setattr(disk, name, value)
    plug(disk)
    told: Told = []
    with suppress(UnavailableError):  # the steps of closing may fail without a word
        history(place, seed, told)
    again = disk.after_power_cut(random.Random(f"{seed} {step}"))  # noqa: S311 - a history
    plug(again)
    try:
        expect_all_of(told, place, again)
    except BaseException as error:
        error.add_note(f"seed {seed}, step {step}")
        raise


@pytest.mark.parametrize("failure", [apsw.FullError, apsw.IOError])
def test_a_disk_that_fails_at_any_step_leaves_nothing_half(
    place: Path, plug: Callable[[Disk], None], failure: type[Exception]
) -> None:
    for step in range(1, steps_of(place, plug, seed=0) + 1):
        disk = Disk()
        disk.fails_at, disk.failure = step, failure
        plug(disk)
        told: Told = []
        with suppress(UnavailableError):
            history(place, 0, told)
        expect_all_of(told, place, disk)


def test_a_disk_that_only_says_that_it_syncs_is_found_out(
    place: Path, plug: Callable[[Disk], None]
) -> None:
    with pytest.raises((AssertionError, IncentiveError)):  # noqa: PT012 - at one of the steps
        for step in range(1, steps_of(place, plug, seed=0) + 1):
            cut(place, plug, seed=0, step=step, syncs=False)


def test_a_ledger_that_does_not_wait_for_the_disk_is_found_out(
    place: Path, plug: Callable[[Disk], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = Connection.execute

    def hasty(own: Connection, sql: str, bindings: Any = ()) -> Any:
        return execute(own, sql.replace("synchronous = FULL", "synchronous = NORMAL"), bindings)

    monkeypatch.setattr(Connection, "execute", hasty)
    with pytest.raises((AssertionError, IncentiveError)):  # noqa: PT012 - at one of the steps
        for step in range(1, steps_of(place, plug, seed=0) + 1):
            cut(place, plug, seed=0, step=step)
