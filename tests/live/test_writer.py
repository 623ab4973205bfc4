"""The writer process: one transaction for all that waits, and no loss when it is killed."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from incentive_engine.errors import DataError
from incentive_engine.live.ledger.clock import Clock
from incentive_engine.live.ledger.commands import (
    Answer,
    Command,
    Decided,
    Find,
    Pool,
    Refused,
    ShowPool,
)
from incentive_engine.live.ledger.stores.sqlite_store import announced
from incentive_engine.live.writing.client import Client
from incentive_engine.live.writing.process import WriterProcess, launch, launched_early
from incentive_engine.live.writing.wire import Frames, commands_frame, read_answers

from .ledgers import BUDGET, STOCK, YUAN, decided, key, ledger, redeem, reserve, terms

LONGEST = 60.0
"""Seconds; what takes longer hangs."""


def run(path: Path, work: Callable[[WriterProcess], Awaitable[None]], *, stock: int = 2) -> None:
    """Let a writer of a new ledger serve some work."""

    async def served() -> None:
        writer = WriterProcess(str(path), terms(stock=stock))
        await writer.start()
        try:
            await work(writer)
        finally:
            await writer.stop()

    asyncio.run(asyncio.wait_for(served(), LONGEST))


async def asked_until_answered(writer: WriterProcess, command: Command) -> Answer:
    """Ask again, with the same key, for as long as there is no writer."""
    while True:
        answer = await writer.ask(command)
        if not isinstance(answer, Refused) or answer.why != "unavailable":
            return answer
        await asyncio.sleep(0.02)


async def killed(writer: WriterProcess) -> None:
    """Kill the writer, once there is one."""
    while not writer.client.is_connected:  # noqa: ASYNC110 - the writer is another process
        await asyncio.sleep(0.01)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)


def test_what_many_ask_at_once_is_one_transaction(tmp_path: Path) -> None:
    sizes: list[int] = []

    async def work() -> None:
        writer = WriterProcess(
            str(tmp_path / "a"), terms(), on_commit=lambda commit: sizes.append(commit.commands)
        )
        await writer.start()
        await asyncio.gather(*(writer.ask(reserve(cost=YUAN)) for _ in range(50)))
        await writer.stop()

    asyncio.run(work())
    assert sizes == [50]


def test_what_ran_out_is_free_again_within_a_second(tmp_path: Path) -> None:
    async def work(writer: WriterProcess) -> None:
        command = reserve(cost=100 * YUAN, face=100 * YUAN, hold=YUAN // 10)
        name, _ = decided(await writer.ask(command))
        await asyncio.sleep(1.0)
        assert decided(await writer.ask(Find(name)))[1].state == "expired"
        shown = await writer.ask(ShowPool())
        assert isinstance(shown, Pool)
        assert shown.limits[BUDGET].reserved == 0

    run(tmp_path / "a", work)


def test_nothing_answered_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    answers: list[Decided] = []

    async def client(writer: WriterProcess, number: int) -> None:
        for turn in range(40):
            command = reserve(f"{number}-{turn}", cost=1, face=1, claims=((BUDGET, 1),))
            answer = await asked_until_answered(writer, command)
            assert isinstance(answer, Decided)
            answers.append(answer)

    async def work(writer: WriterProcess) -> None:
        clients = [asyncio.create_task(client(writer, number)) for number in range(8)]
        for _ in range(3):
            await asyncio.sleep(0.25)
            await killed(writer)
        await asyncio.gather(*clients)
        shown = await asked_until_answered(writer, ShowPool())
        assert isinstance(shown, Pool)
        assert shown.limits[BUDGET].reserved == 320
        for answer in answers:
            assert await asked_until_answered(writer, Find(answer.name)) == answer

    run(tmp_path / "a", work)


def test_the_writer_ends_with_its_parent_and_lets_go_of_the_ledger(tmp_path: Path) -> None:
    async def work(writer: WriterProcess) -> None:
        await writer.ask(reserve())
        with pytest.raises(DataError, match="another process writes it"):
            ledger(tmp_path / "a")

    run(tmp_path / "a", work)
    ledger(tmp_path / "a").close()


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.2, 0.5])
def test_it_stops_at_any_moment_of_a_restart(tmp_path: Path, seconds: float) -> None:
    async def work(writer: WriterProcess) -> None:
        await killed(writer)
        await asyncio.sleep(seconds)

    run(tmp_path / "a", work)
    ledger(tmp_path / "a").close()


def test_a_ledger_of_another_run_is_refused_at_the_start(tmp_path: Path) -> None:
    ledger(tmp_path / "a", terms(run="other")).close()

    async def work(_: WriterProcess) -> None:
        pytest.fail("it started")

    with pytest.raises(DataError, match="ledger of another run"):
        run(tmp_path / "a", work)


def test_a_peer_that_sends_nonsense_harms_nobody_else(tmp_path: Path) -> None:
    async def work(writer: WriterProcess) -> None:
        place = announced(tmp_path / "a")
        assert place is not None
        for nonsense in (b"\xff" * 100, b"\0\0\0\x02hi", b"\0\0\0\x04\x91\x93\x01\x63"):
            _, sender = await asyncio.open_unix_connection(place)
            sender.write(nonsense)
            await sender.drain()
            sender.close()
        assert isinstance(await writer.ask(reserve()), Decided)

    run(tmp_path / "a", work)


def last_cent(place: str, number: int, results: multiprocessing.Queue[bool]) -> None:
    """Ask for the one offer that is left."""
    client = Client(place)
    (answer,) = client.ask(
        [reserve(f"user {number}", named=key(f"{number}"), claims=((STOCK, 1),))]
    )
    client.close()
    results.put(decided(answer)[1].state == "reserved")


@contextmanager
def processes(number: int, place: str) -> Iterator[multiprocessing.Queue[bool]]:
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[bool] = context.Queue()
    clients = [
        context.Process(target=last_cent, args=(place, at, results)) for at in range(number)
    ]
    for client in clients:
        client.start()
    yield results
    for client in clients:
        client.join()
        client.close()
    results.close()


def test_of_64_processes_on_the_last_offer_one_gets_it(tmp_path: Path) -> None:
    async def work(writer: WriterProcess) -> None:
        place = announced(tmp_path / "a")
        assert place is not None
        with processes(64, place) as results:
            got = [await asyncio.to_thread(results.get) for _ in range(64)]
        assert got.count(True) == 1
        name, _ = decided(await writer.ask(reserve("late", claims=((BUDGET, 1),))))
        assert decided(await writer.ask(redeem(name, 1)))[1].state == "redeemed"

    run(tmp_path / "a", work, stock=1)


def test_the_clock_follows_small_steps_and_no_jump() -> None:
    wall, uptime = 1_000_000_000, 0
    clock = Clock(wall=lambda: wall, uptime=lambda: uptime)
    uptime, wall = 1_000_000, 1_001_500_000
    assert clock.now() == 1_001_500_000
    uptime, wall = 2_000_000, 5_000_000_000
    assert clock.now() == 1_002_500_000
    wall = 0
    assert clock.now() == 1_002_500_000


def test_a_writer_that_gets_no_job_ends_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    def in_vain() -> None:
        with launched_early() as process:
            launched.append(process)
            raise RuntimeError("the run does not verify")

    launched: list[subprocess.Popen[bytes]] = []
    with pytest.raises(RuntimeError, match="does not verify"):
        in_vain()
    assert [process.returncode for process in launched] == [0]
    assert capfd.readouterr().err == ""


def test_ctrl_c_of_a_terminal_does_not_reach_a_writer() -> None:
    process = launch()
    assert os.getpgid(process.pid) != os.getpgid(0)
    process.communicate(timeout=LONGEST)
    assert process.returncode == 0


def test_a_launched_writer_does_the_job_that_it_gets(tmp_path: Path) -> None:
    async def served() -> None:
        with launched_early() as process:
            writer = WriterProcess(str(tmp_path / "a"), terms(), launched=process)
            await writer.start()
            assert writer.pid == process.pid
            decided(await writer.ask(reserve(cost=YUAN)))
            await killed(writer)
            decided(await asked_until_answered(writer, reserve("b", cost=YUAN)))
            assert writer.pid != process.pid
            await writer.stop()

    asyncio.run(asyncio.wait_for(served(), LONGEST))


def test_a_peer_that_reads_late_gets_every_answer(tmp_path: Path) -> None:
    many = 20_000  # the answers are longer than what a socket holds

    def late(place: str) -> int:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(LONGEST)
            peer.connect(place)
            peer.sendall(commands_frame(enumerate([Find(f"d{n:x}-nobody") for n in range(many)])))
            # once another is answered, the writer has done all that came before
            with closing(Client(place)) as other:
                other.ask([ShowPool()])
            frames, answered = Frames(), 0
            while answered < many and (data := peer.recv(1 << 20)):
                answered += sum(len(read_answers(content)[1]) for content in frames.feed(data))
            return answered

    async def work(writer: WriterProcess) -> None:
        place = announced(tmp_path / "a")
        assert place is not None
        assert await asyncio.to_thread(late, place) == many
        decided(await writer.ask(reserve(cost=YUAN)))

    run(tmp_path / "a", work)
