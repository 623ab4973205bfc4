"""A large ledger of before is brought up to date: seen, stopped, killed, and whole after each."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from incentive_engine.live.ledger.commands import Find
from incentive_engine.live.ledger.stores import sqlite_store
from incentive_engine.live.ledger.stores.sqlite_store import SQLiteStore, lock_file
from incentive_engine.live.opening import open_campaign
from incentive_engine.live.writing.process import WriterProcess
from incentive_engine.parallel import Advance
from service.runs import solved
from service.servers import started

from .ledgers import SECRET, START, content_of, decided, key, ledger, of_version_3, reserve, terms

ROWS = 60_000
LONGEST = 60.0
"""Seconds; what takes longer hangs."""


@pytest.fixture
def before(tmp_path: Path) -> Path:
    of_version_3(tmp_path / "a", ROWS)
    return tmp_path / "a"


class Seen:
    """Keeps what it is told, and does something once a part is done."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.steps: list[tuple[str, float]] = []
        self.done, self._then = 0.0, then

    @contextmanager
    def __call__(self, step: str, parts: float = 0) -> Iterator[Advance]:
        self.steps.append((step, parts))
        yield self._advance

    def _advance(self, more: float) -> None:
        self.done += more
        self._then()


def opened(path: Path, seen: Seen) -> None:
    SQLiteStore(path, terms(), secret=SECRET, progress=seen).close()


def works(path: Path) -> None:
    """Check that a ledger is found to be brought up to date, and to know what it knew."""
    book = ledger(path)
    again = decided(*book.apply([reserve("Li", named=key("Li"), claims=())], START))
    assert again[1].seq == 1
    assert decided(*book.apply([Find(again[0])], START))[1].user_id == "Li"
    book.close()
    assert content_of(path)[0] > 3


def test_it_is_told_how_far_a_ledger_of_before_is_brought_up_to_date(before: Path) -> None:
    first, second = Seen(), Seen()
    opened(before, first)
    assert first.steps == [("bring the ledger up to date", 200)]
    assert 100 < first.done <= 200
    opened(before, second)
    assert second.steps == []
    works(before)


def test_ctrl_c_while_it_is_brought_up_to_date_leaves_a_ledger_as_it_was(before: Path) -> None:
    was = content_of(before)
    # as a key that is pressed: the handler runs between two instructions of Python's
    pressed = Seen(lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        opened(before, pressed)
    assert pressed.done == 1
    assert content_of(before) == was
    works(before)


def test_ctrl_c_while_users_are_indexed_leaves_a_ledger_as_it_was(
    before: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(_user: str) -> bytes:
        signal.raise_signal(signal.SIGINT)
        return b""

    was = content_of(before)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_store, "digest_of", pressed)
        with pytest.raises(KeyboardInterrupt):
            opened(before, Seen())
    assert content_of(before) == was
    works(before)


async def begun(writer: WriterProcess, seen: Seen) -> asyncio.Task[None]:
    """Start a writer, and return once it is at work on its ledger."""
    starting = asyncio.create_task(writer.start())
    while seen.done < 3 and not starting.done():  # noqa: ASYNC110 - another process does it
        await asyncio.sleep(0.001)
    return starting


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_writer_that_is_killed_meanwhile_leaves_a_ledger_as_it_was(
    before: Path, number: signal.Signals
) -> None:
    was, seen = content_of(before), Seen()

    async def killed() -> None:
        writer = WriterProcess(str(before), terms(), progress=seen)
        starting = await begun(writer, seen)
        assert writer.pid is not None
        os.kill(writer.pid, number)
        with pytest.raises(Exception, match="ended without a word"):
            await starting

    asyncio.run(asyncio.wait_for(killed(), LONGEST))
    assert content_of(before) == was
    works(before)


def test_a_start_that_is_given_up_meanwhile_ends_the_writer(before: Path) -> None:
    was, seen = content_of(before), Seen()

    async def given_up() -> float:
        writer = WriterProcess(str(before), terms(), progress=seen)
        starting = await begun(writer, seen)
        began = time.monotonic()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        return time.monotonic() - began

    assert asyncio.run(asyncio.wait_for(given_up(), LONGEST)) < 5.0
    assert content_of(before) == was
    works(before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_is_stopped_meanwhile_leaves_its_ledger_as_it_was(
    tmp_path: Path, number: signal.Signals
) -> None:
    run, path = solved(tmp_path / "r"), tmp_path / "l"
    of_version_3(path, 4 * ROWS, open_campaign(run).terms)
    was = content_of(path)
    server = started(run, "--ledger", str(path))
    log = path.with_name("l-wal")
    until = time.monotonic() + LONGEST
    while not log.exists():  # it is when the file is opened
        assert time.monotonic() < until
        time.sleep(0.005)
    server.send_signal(number)
    out, _ = server.communicate(timeout=LONGEST)
    assert out == ""
    assert server.returncode == (-9 if number == signal.SIGKILL else 0)
    wait_for_writer(path)
    assert content_of(path) == was


def wait_for_writer(path: Path) -> None:
    """Return once no process holds a ledger."""
    with lock_file(path).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
