"""`kill -9` under load, at random moments, of whoever takes part: what was answered stays true.

INCENTIVE_KILLS=200 pytest tests/service/test_kills.py     # 200 of each kind
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from export.postgres_server import binaries
from export.postgres_server import run as run_program
from export.postgres_server import server as database_server
from incentive_engine.live.entries import entries

from .load import Line, Load, judge
from .runs import plan, solved
from .servers import PROGRAM

KILLS = int(os.environ.get("INCENTIVE_KILLS", "2"))
WHOM = ["kill_both"] if KILLS < 10 else ["kill_writer", "kill", "kill_both"]
"""What is killed; the suite of every day tries the worst."""
CLIENTS = 64
LONGEST = 120.0
"""Seconds for the last answers, after the last kill."""

PROGRAMS = binaries()
no_database = pytest.mark.skipif(PROGRAMS is None, reason="no PostgreSQL server: make postgres")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return solved(tmp_path_factory.mktemp("killed"), users=300, budget={"amount": 250.0})


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    assert PROGRAMS is not None
    with database_server(PROGRAMS, durable=True) as url:
        yield url


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Killed:
    """A server that is started again, on the same port, whenever it was killed."""

    run: Path
    ledger: str
    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = ["serve", str(self.run), "--ledger", self.ledger, "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own program
                [*PROGRAM, *words, "--hold", "2s"], stdout=subprocess.PIPE, stderr=log
            )
        assert self.process.stdout is not None
        assert self.process.stdout.readline(), self.log.read_text()

    def writers(self) -> list[int]:
        assert self.process is not None
        place = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(number) for number in place.read_text().split()]

    def kill_writer(self) -> None:
        for number in self.writers():
            os.kill(number, signal.SIGKILL)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.communicate()
        self.start()

    def kill_both(self) -> None:
        self.kill_writer()
        self.kill()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.communicate(timeout=60)


@contextmanager
def serving(run: Path, ledger: str, folder: Path, *, servers: int = 1) -> Iterator[list[Killed]]:
    with ExitStack() as stack:
        started = []
        for number in range(servers):
            started.append(Killed(run, ledger, folder / f"log {number}"))
            stack.callback(started[-1].stop)
            started[-1].start()
        yield started


def under_load(servers: Sequence[Killed], users: Sequence[str], kill: Callable[[], None]) -> Load:
    """Kill again and again while clients ask; return what they were told."""
    rng = random.Random(KILLS)  # noqa: S311 - moments
    load = Load(ports=[server.port for server in servers], users=users, seed=KILLS)

    async def work() -> None:
        clients = asyncio.create_task(load.run(CLIENTS))
        for _ in range(KILLS):
            await asyncio.sleep(rng.uniform(0.05, 0.5))
            await asyncio.to_thread(kill)
        await asyncio.sleep(0.3)
        load.is_over = True
        await asyncio.wait_for(clients, LONGEST)
        await see_again(load)

    asyncio.run(work())
    return load


async def see_again(load: Load) -> None:
    """Ask once more for all that was decided: whole answers by key, and each decision."""
    decided = iter(dict.fromkeys(load.decided))

    async def client(number: int) -> None:
        line = Line(load.ports, random.Random(number))  # noqa: S311 - a port
        for key, name, user in decided:
            await load.call(line, "POST", "/v1/decisions", {"user_id": user}, key)
            await load.call(line, "GET", f"/v1/decisions/{name}")
        line.close()

    # as many clients as before: one alone would wait for the disk at each of its calls
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(client(number))


def expect_books(run: Path, ledger: str, load: Load) -> None:
    """Judge the answers, and the ledger from its files alone."""
    judge(load.calls)
    names = {row[2] for rows in entries(ledger) for row in rows}
    assert {name for _, name, _ in load.decided} <= names
    words = [*PROGRAM, "verify", str(run), "--ledger", ledger]
    done = subprocess.run(words, capture_output=True, check=False)  # noqa: S603 - our own program
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


def users_of(run: Path) -> list[str]:
    return [row["user_id"] for row in plan(run)]


@pytest.mark.parametrize("whom", WHOM)
def test_kills_lose_nothing_of_a_ledger_in_a_file(run: Path, tmp_path: Path, whom: str) -> None:
    ledger = str(tmp_path / "ledger")
    with serving(run, ledger, tmp_path) as (server,):
        load = under_load([server], users_of(run), getattr(server, whom))
    expect_books(run, ledger, load)


@no_database
@pytest.mark.parametrize("whom", WHOM)
def test_kills_lose_nothing_of_a_ledger_that_two_servers_share(
    run: Path, tmp_path: Path, database: str, whom: str
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("DROP SCHEMA IF EXISTS incentive_ledger CASCADE")
    with serving(run, database, tmp_path, servers=2) as servers:
        turns = itertools.cycle(getattr(server, whom) for server in servers)
        load = under_load(servers, users_of(run), lambda: next(turns)())  # noqa: PLW0108 - the next one, each time
    expect_books(run, database, load)


@no_database
def test_kills_of_the_database_lose_nothing(run: Path, tmp_path: Path) -> None:
    assert PROGRAMS is not None
    with database_server(PROGRAMS, durable=True) as url:
        data = Path(url.partition("host=")[2]) / "data"
        with serving(run, url, tmp_path, servers=2) as servers:
            load = under_load(servers, users_of(run), lambda: kill_database(data))
        expect_books(run, url, load)


def kill_database(data: Path) -> None:
    """Kill a database, and start it again once its last processes have ended."""
    assert PROGRAMS is not None
    os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    settings = f"-c listen_addresses='' -k {data.parent}"
    words = ("-D", data, "-w", "-l", data.parent / "log", "-o", settings, "start")
    for _ in range(200):
        try:
            run_program(PROGRAMS / "pg_ctl", *words)
        except AssertionError:
            time.sleep(0.1)
        else:
            return
    sys.exit("it does not start again")
