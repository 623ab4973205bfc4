"""The log of a file comes into it beside the commits that go on, and never begins again then."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import wait
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from incentive_engine.live.ledger.ledger import Ledger
from incentive_engine.live.ledger.stores import log_keeper, sqlite_store
from incentive_engine.live.ledger.stores.log_keeper import LogKeeper, LogParams
from incentive_engine.live.ledger.stores.sqlite_store import SQLiteStore
from incentive_engine.live.ledger.stores.store import UnavailableError

from .ledgers import SECRET, START, YUAN, decided, reserve, terms
from .simulation import check_books

STATED = terms(budget=10**6 * YUAN, stock=10**6)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rounds begin after a few commits."""
    short = partial(LogKeeper, params=LogParams(round=60, longest=120, between=20))
    monkeypatch.setattr(sqlite_store, "LogKeeper", short)


def opened(place: Path) -> tuple[Ledger, LogKeeper]:
    store = SQLiteStore(place, STATED, secret=SECRET)
    return Ledger(store), store._log


def decide(ledger: Ledger, number: int) -> list[str]:
    """Return the names of some decisions, one commit each."""
    return [
        decided(*ledger.apply([reserve(cost=YUAN, face=YUAN, hold=None)], START))[0]
        for _ in range(number)
    ]


def age(place: Path) -> bytes:
    """Return the salt of the log, which changes when it begins again."""
    return place.with_name("ledger-wal").read_bytes()[16:24]


def expect_whole(place: Path, names: list[str]) -> None:
    with closing(sqlite3.connect(place)) as file:
        check_books(file, STATED)
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert file.execute("SELECT count(*) FROM decisions").fetchone() == (len(names),)


@pytest.mark.usefixtures("short_rounds")
def test_a_log_stays_short_and_loses_nothing(place: Path) -> None:
    ledger, keeper = opened(place)
    names, ages = [], set()
    for _ in range(60):
        names += decide(ledger, 10)
        if keeper._round is not None:  # how fast the disk is does not say how long the log becomes
            wait([keeper._round])
        ages.add(age(place))
    pages = place.with_name("ledger-wal").stat().st_size / 4096
    ledger.close()
    assert len(ages) > 3
    assert pages < 1_000  # 600 commits write some 6,000
    expect_whole(place, names)


@pytest.mark.usefixtures("short_rounds")
def test_a_log_never_begins_again_while_a_round_brings_it_in(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, begun, may_end = log_keeper._checkpoint, threading.Event(), threading.Event()

    def held(database: sqlite3.Connection) -> log_keeper.Progress:
        progress = checkpoint(database)
        begun.set()
        may_end.wait(30)
        # SQLite's fault needs a second look at a log that came in whole before
        checkpoint(database)
        return progress

    ledger, keeper = opened(place)
    names = decide(ledger, 5)
    monkeypatch.setattr(log_keeper, "_checkpoint", held)
    while keeper._round is None:
        names += decide(ledger, 1)
    assert begun.wait(30)
    before = age(place)
    names += decide(ledger, 50)
    assert age(place) == before
    may_end.set()
    wait([keeper._round])
    while age(place) == before:
        names += decide(ledger, 1)
    ledger.close()
    expect_whole(place, names)


@pytest.mark.usefixtures("short_rounds")
def test_a_log_that_somebody_reads_grows_and_comes_in_once_he_has_done(place: Path) -> None:
    ledger, _ = opened(place)
    names = decide(ledger, 3)
    with closing(sqlite3.connect(place)) as reading:
        reading.execute("BEGIN")
        assert reading.execute("SELECT count(*) FROM decisions").fetchone() == (3,)
        before = age(place)
        names += decide(ledger, 200)
        assert age(place) == before
        assert reading.execute("SELECT count(*) FROM decisions").fetchone() == (3,)
    while age(place) == before:
        names += decide(ledger, 1)
    ledger.close()
    expect_whole(place, names)


def failing(error: Exception) -> Callable[[object], None]:
    def fail(_: object) -> None:
        raise error

    return fail


@pytest.mark.usefixtures("short_rounds")
@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError("disk I/O error"), OSError(28, "full")]
)
def test_a_round_that_fails_is_told_and_loses_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    ledger, keeper = opened(place)
    names: list[str] = []
    with monkeypatch.context() as broken:
        broken.setattr(log_keeper, "_checkpoint", failing(error))
        with pytest.raises(UnavailableError, match="cannot be written"):  # noqa: PT012 - at one of them
            while keeper._since >= 0:
                names += decide(ledger, 1)
        ledger.close()
    again, _ = opened(place)
    names += decide(again, 1)
    again.close()
    expect_whole(place, names)


@pytest.mark.usefixtures("short_rounds")
def test_a_rest_brings_in_what_a_round_has_left(place: Path) -> None:
    ledger, keeper = opened(place)
    names: list[str] = []
    while keeper._round is None:
        names += decide(ledger, 1)
    ledger.store.rest()
    before = age(place)
    names += decide(ledger, 1)
    assert age(place) != before
    ledger.close()
    expect_whole(place, names)


def test_a_log_has_its_length_before_it_is_written_and_ends_where_it_was(
    place: Path, tmp_path: Path
) -> None:
    ledger, _ = opened(place)
    names = decide(ledger, 3)
    ledger.store.announce("somewhere")
    length = place.with_name("ledger-wal").stat().st_size
    assert length >= LogParams().longest * 4096
    names += decide(ledger, 3)
    assert place.with_name("ledger-wal").stat().st_size == length
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("ledger", "ledger-wal"):
        shutil.copy(tmp_path / name, killed / name)
    ledger.close()
    expect_whole(killed / "ledger", names)


def test_a_log_for_which_there_is_no_room_grows_as_it_is_written(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    ledger, _ = opened(place)
    size = place.with_name("ledger-wal").stat().st_size
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        ledger.store.announce("somewhere")
    # what there is room for is the ledger's own
    assert place.with_name("ledger-wal").stat().st_size == size
    names = decide(ledger, 3)
    ledger.close()
    expect_whole(place, names)
