"""A ledger in PostgreSQL: the same rules, two writers on one pool, and a server that is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import psycopg
import pytest

from export.postgres_server import run, server
from incentive_engine.errors import DataError
from incentive_engine.live.entries import open_for_reading
from incentive_engine.live.ledger.commands import (
    Act,
    Actions,
    Command,
    Decided,
    Find,
    Pool,
    Publish,
    Refused,
    ShowPool,
    ShowPrices,
)
from incentive_engine.live.ledger.ledger import Ledger
from incentive_engine.live.ledger.stores.postgres_store import PostgresStore
from incentive_engine.live.ledger.stores.store import UnavailableError
from incentive_engine.live.watch.observed import read_observed
from incentive_engine.live.writing.process import WriterProcess

from .ledgers import (
    BUDGET,
    HOLD,
    START,
    STOCK,
    YUAN,
    cancel,
    decided,
    key,
    ledger,
    pool,
    redeem,
    reserve,
    terms,
)
from .postgres_ledgers import PROGRAMS, opened
from .test_writer import asked_until_answered

pytestmark = pytest.mark.skipif(PROGRAMS is None, reason="no PostgreSQL server: make postgres")


def test_it_answers_as_a_ledger_in_a_file_does(
    url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shared, file = opened(url), ledger(tmp_path_factory.mktemp("l") / "a")
    first = reserve("u", named=key("first"))
    name, _ = decided(*file.apply([first], START))
    assert shared.apply([first], START) == file.apply([first], START)
    batches: list[list[Command]] = [
        [reserve("v", named=key("v")), reserve("u", named=key("u again")), reserve(offer=None)],
        [redeem(name, 7 * YUAN, key("r")), redeem(name, 8 * YUAN), Find(name)],
        [reserve(claims=((STOCK, 1),)) for _ in range(4)],
        [first, first._replace(digest=key("other")), cancel(name), ShowPool()],
        [reserve("v", named=key("v late"))],
        [ShowPrices(), Publish(4, "a"), Publish(4, "b")],
        [Publish(5, "c"), ShowPrices()],
    ]
    for at, batch in enumerate(batches):
        now = START + at * HOLD // 3
        assert shared.apply(batch, now) == file.apply(batch, now)
    assert pool(shared, START + 9 * HOLD) == pool(file, START + 9 * HOLD)
    shared.close()


def test_two_servers_share_one_pool_to_the_last_offer(url: str) -> None:
    given: list[str] = []

    def ask(of: Ledger) -> None:
        for _ in range(40):
            answers = of.apply([reserve(cost=YUAN, face=YUAN, claims=((BUDGET, YUAN),))], START)
            given.extend(name for name, d in map(decided, answers) if d.state == "reserved")

    ledgers = [opened(url, budget=50 * YUAN) for _ in range(2)]
    threads = [threading.Thread(target=ask, args=(own,)) for own in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(given)) == 50
    assert pool(ledgers[0])[BUDGET] == (50 * YUAN, 0)
    for own in ledgers:
        own.close()


def test_a_pool_that_nobody_else_changed_is_not_read_again(url: str) -> None:
    one, two = opened(url), opened(url)
    store = one.store
    assert isinstance(store, PostgresStore)
    for _ in range(2):
        one.apply([reserve()], START)
        one.apply([ShowPool()], START)
        with psycopg.connect(url) as asking:
            query = f"SELECT xmin::text FROM {PostgresStore.SCHEMA}.head"  # noqa: S608 - a name of ours
            (left_by,) = asking.execute(query).fetchone() or ()
        assert store._snapshot.xmin == left_by
        before = pool(one)
        two.apply([reserve()], START)
        assert pool(one) == pool(two) != before
    one.close()
    two.close()


def test_what_one_server_answered_the_other_repeats(url: str) -> None:
    one, two = opened(url), opened(url)
    command = reserve("u", named=key("k"))
    (answer,) = one.apply([command], START)
    assert two.apply([command], START + 1) == [answer]
    name, _ = decided(answer)
    two.apply([redeem(name, YUAN)], START)
    assert one.apply([cancel(name)], START) == [Refused("closed", "redeemed")]
    one.close()
    two.close()


def test_a_connection_that_breaks_changes_nothing_and_is_told(url: str) -> None:
    own = opened(url)
    command = reserve("u", named=key("k"))
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        )
    with pytest.raises(UnavailableError, match="went away"):
        own.apply([command], START)
    own.close()
    again = opened(url)
    assert pool(again)[BUDGET] == (0, 0)
    decided(*again.apply([command], START))
    assert pool(again)[BUDGET] == (10 * YUAN, 0)
    again.close()


def test_a_ledger_of_another_run_and_no_server_are_told_apart(url: str) -> None:
    opened(url).close()
    with pytest.raises(DataError, match="ledger of another run"):
        opened(url, budget=1)
    with pytest.raises(UnavailableError, match="does not answer") as told:
        opened("postgresql://me:secret@/postgres?host=/nowhere")
    assert "secret" not in str(told.value)
    assert "see to the database" in str(told.value)


def test_who_only_reads_is_not_told_of_keys(url: str) -> None:
    away = url.replace("host=", "host=/nowhere")
    with pytest.raises(UnavailableError, match="does not answer") as entries:
        open_for_reading(away)
    with pytest.raises(UnavailableError, match="does not answer") as watch:
        read_observed(away, run="run", offers=(), rows_of=lambda users: np.full(len(users), -1))
    assert "key" not in f"{entries.value} {watch.value}"


def test_actions_move_caps_for_every_server_and_are_read_by_the_watch(url: str) -> None:
    first, second = opened(url), opened(url)
    lower = f'{{"at_most": {{"budget": {15 * YUAN}}}}}'
    (answer,) = first.apply([Act("runs_dry:budget", "accepted", "Li", lower, 0)], START)
    assert isinstance(answer, Actions)
    assert second.apply([Act("other", "declined", "Wang", "{}", 0)], START) == [
        Refused("outdated", "1")
    ]
    taken = [decided(*second.apply([reserve()], START))[1] for _ in range(2)]
    assert [one.reason for one in taken] == ["offered", "pool_empty"]
    observed = read_observed(
        url, run="run", offers=("off20",), rows_of=lambda users: np.full(len(users), -1)
    )
    assert observed.actions == answer.actions
    assert observed.offer.tolist() == [0, -1]
    assert observed.pool[BUDGET].at_most == 15 * YUAN
    with pytest.raises(DataError, match="ledger of another run"):
        read_observed(url, run="other", offers=(), rows_of=lambda users: np.full(len(users), -1))
    first.close()
    second.close()


def test_the_database_itself_takes_no_sum_above_a_cap(url: str) -> None:
    opened(url).close()
    with (
        psycopg.connect(url) as other,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        other.execute("UPDATE incentive_ledger.pool SET reserved = 1000000001 WHERE place = 0")


def test_nothing_answered_is_lost_when_the_database_is_killed() -> None:
    """The server of the database dies twice under load; the writer finds it again by itself."""
    assert PROGRAMS is not None
    with server(PROGRAMS, durable=True) as place:
        data = Path(place.partition("host=")[2]) / "data"
        answers: list[Decided] = []

        async def client(writer: WriterProcess, number: int) -> None:
            for turn in range(15):
                command = reserve(f"{number}-{turn}", cost=1, face=1, claims=((BUDGET, 1),))
                answer = await asked_until_answered(writer, command)
                assert isinstance(answer, Decided)
                answers.append(answer)

        async def work() -> None:
            writer = WriterProcess(place, terms())
            await writer.start()
            clients = [asyncio.create_task(client(writer, number)) for number in range(8)]
            for _ in range(2):
                await asyncio.sleep(0.3)
                os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
                await asyncio.to_thread(start_again, data)
            await asyncio.gather(*clients)
            shown = await asked_until_answered(writer, ShowPool())
            assert isinstance(shown, Pool)
            assert shown.limits[BUDGET].reserved == 120
            for answer in answers:
                assert await asked_until_answered(writer, Find(answer.name)) == answer
            await writer.stop()

        asyncio.run(asyncio.wait_for(work(), 120))


def start_again(data: Path) -> None:
    """Start a killed database once its last processes have ended."""
    assert PROGRAMS is not None
    settings = f"-c listen_addresses='' -k {data.parent}"
    words = ("-D", data, "-w", "-l", data.parent / "log", "-o", settings, "start")
    for _ in range(100):
        try:
            run(PROGRAMS / "pg_ctl", *words)
        except AssertionError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("it does not start again")


@pytest.mark.parametrize("text", ['"', "\\", '\\"', "{a,b}", "(1,)", "NULL", "a\nb\t", "é中", " "])
def test_texts_are_kept_as_they_are(url: str, text: str) -> None:
    own = opened(url)
    command = reserve(f"user {text}")._replace(scene=text)
    (answer,) = own.apply([command], START)
    name, decision = decided(answer)
    assert (decision.user_id, decision.scene) == (f"user {text}", text)
    assert own.apply([command, Find(name)], START) == [answer, answer]
    own.close()
