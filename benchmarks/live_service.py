"""Decisions over HTTP: closed loop at 8 connections, open loop at 2,000 a second.

    python benchmarks/live_service.py RUN_DIR
    python benchmarks/live_service.py --users 1000000                # plans a run of its own first
    python benchmarks/live_service.py --users 1000000 --reprice 3s   # while prices are solved anew

The server starts twice: the first time it verifies the run and lays its users out. The caller runs
on the same cores. Each request is one user of the run with a key of its own; with fewer users than
requests, most are answered with the offer that the user has, which is written all the same.
`start` is from the command to the first answer of /readyz. What a synced write costs stands before
and after: each answer has waited for one.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from live_ledger import percentiles, quiet, synced_write

from service.runs import solved

SECONDS = 5.0
LIMIT = {"name": "region", "sum": "cost", "for_each": "region", "at_most": "60%"}
PROGRAM = [sys.executable, "-c", "from incentive_engine.cli import run; run()"]
_keys = itertools.count()


class Connection:
    """A connection that stays open."""

    def __init__(self, port: int, users: list[str]) -> None:
        self._port, self._users = port, users

    async def open(self) -> None:
        self._in, self._out = await asyncio.open_connection("127.0.0.1", self._port)

    async def decide(self) -> float:
        number = next(_keys)
        user = self._users[number % len(self._users)]
        body = json.dumps({"user_id": user, "scene": "cart"}).encode()
        head = f"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nIdempotency-Key: {number}\r\n"
        started = time.perf_counter()
        self._out.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await self._in.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        size = re.search(rb"content-length: (\d+)", answer)
        assert size is not None
        await self._in.readexactly(int(size[1]))
        return time.perf_counter() - started


async def closed_loop(connections: list[Connection]) -> None:
    times: list[float] = []
    until = time.perf_counter() + SECONDS

    async def client(connection: Connection) -> None:
        while time.perf_counter() < until:
            times.append(await connection.decide())

    await asyncio.gather(*map(client, connections))
    rate = len(times) / SECONDS
    print(f"closed loop, {len(connections)} connections: {rate:,.0f}/s, {percentiles(times)}")


async def open_loop(connections: list[Connection], rate: int) -> None:
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for connection in connections:
        free.put_nowait(connection)
    times: list[float] = []

    async def one(due: float) -> None:
        connection = await free.get()
        await connection.decide()
        times.append(time.perf_counter() - due)
        free.put_nowait(connection)

    started, tasks = time.perf_counter(), []
    for number in range(int(rate * SECONDS)):
        due = started + number / rate
        if (delay := due - time.perf_counter()) > 0:
            await asyncio.sleep(delay)
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    took = time.perf_counter() - started
    print(f"open loop, {rate:,}/s offered: {len(times) / took:,.0f}/s, {percentiles(times)}")


def cpu_seconds(process: int) -> float:
    """Return the processor time of a process and of its children."""
    children = subprocess.run(  # noqa: S603 - a program of the system
        ["pgrep", "-P", str(process)],  # noqa: S607 - likewise
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    ).stdout.split()
    ticks = 0
    for number in (str(process), *children):
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def measure(port: int, users: list[str]) -> None:
    connections = [Connection(port, users) for _ in range(64)]
    for connection in connections:
        await connection.open()
    quiet()
    await closed_loop(connections[:8])
    await closed_loop(connections)
    await open_loop(connections, 2_000)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir", type=Path, nargs="?")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--reprice", help="solve prices anew so often, such as 3s")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run_dir = asked.run_dir or planned(Path(folder), asked.users, asked.reprice)
        serve(run_dir, "first start")
        serve(run_dir, "start", is_measured=True)


def planned(folder: Path, users: int, reprice: str | None) -> Path:
    """Return a run of two offers with a budget for about a third of the users."""
    now = datetime.now(UTC)
    hours = [f"{now + timedelta(hours=shift):%Y-%m-%d %H:%M:%S}" for shift in (-1, 20)]
    campaign = {"start": hours[0], "end": hours[1], "traffic": "even", "reprice": reprice}
    return solved(
        folder / "campaign",
        users=users,
        budget={"amount": 1.2 * users},
        demands={"limits": [LIMIT]},
        campaign=None if reprice is None else campaign,
    )


def serve(run_dir: Path, name_of_start: str, *, is_measured: bool = False) -> None:
    plan = pq.read_table(run_dir / "allocation.parquet", columns=["user_id"])
    users = plan.column("user_id").to_pylist()
    with tempfile.TemporaryDirectory() as name:
        words = ["serve", str(run_dir), "--port", "0", "--ledger", f"{name}/ledger"]
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*PROGRAM, *words], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        url = process.stdout.readline().split(" at ")[-1].strip()
        urllib.request.urlopen(f"{url}/readyz").read()  # noqa: S310 - our own server
        took = time.perf_counter() - started
        print(f"{name_of_start} with {len(users):,} users: {took:.2f} s")
        if not is_measured:
            process.terminate()
            process.wait()
            return
        synced_write(Path(name))
        before, started_at = cpu_seconds(process.pid), next(_keys)
        uvloop.run(measure(int(url.rsplit(":", 1)[1]), users))
        used = cpu_seconds(process.pid) - before
        decisions = next(_keys) - started_at
        print(f"server and writer: {used / decisions * 1e6:.0f} µs of processor per decision")
        synced_write(Path(name))
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
