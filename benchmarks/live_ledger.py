"""Durable decisions of a ledger: closed loop at 8 and 64 clients, open loop at 2,000 a second.

    python benchmarks/live_ledger.py                       # SQLite, in a temporary directory
    python benchmarks/live_ledger.py --rows 5000000        # with so many entries in it before
    python benchmarks/live_ledger.py --postgres            # a PostgreSQL server of its own: one
                                                           # writer, then two on the same pool

Clients are tasks of one process, the writer is another; every answer is durable. The first line is
what a synced write costs on this disk, since nothing is faster than that.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from export.postgres_server import binaries, server
from incentive_engine.live.ledger.commands import Decided
from incentive_engine.live.ledger.ledger import Ledger
from incentive_engine.live.ledger.places import open_store
from incentive_engine.live.writing.process import WriterProcess
from live.ledgers import BUDGET, FLOOR, START, STOCK, YUAN, reserve, terms

SECONDS = 5.0
TERMS = terms(budget=10**17, stock=10**12)
CLAIMS = ((BUDGET, 10 * YUAN), (STOCK, 1), (FLOOR, 10 * YUAN))
_users = itertools.count()


def command() -> object:
    return reserve(f"bench {os.getpid()} {next(_users)}", claims=CLAIMS)


def percentiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    middle, late = (ordered[int(len(ordered) * p)] * 1e3 for p in (0.5, 0.99))
    return f"median {middle:6.2f} ms, p99 {late:6.2f} ms"


def synced_write(folder: Path) -> None:
    handle = os.open(folder / "sync", os.O_WRONLY | os.O_CREAT)
    times = []
    for _ in range(300):
        os.write(handle, bytes(4096))
        started = time.perf_counter()
        os.fdatasync(handle)
        times.append(time.perf_counter() - started)
    os.close(handle)
    print(f"a synced write of 4 KB: {percentiles(times)}")


async def timed(writer: WriterProcess, times: list[float]) -> None:
    started = time.perf_counter()
    answer = await writer.ask(command())  # type: ignore[arg-type]
    assert isinstance(answer, Decided)
    times.append(time.perf_counter() - started)


async def closed_loop(writers: list[WriterProcess], clients: int) -> None:
    times: list[float] = []
    until = time.perf_counter() + SECONDS

    async def client(writer: WriterProcess) -> None:
        while time.perf_counter() < until:
            await timed(writer, times)

    await asyncio.gather(*(client(writers[n % len(writers)]) for n in range(clients)))
    print(
        f"closed loop, {clients:3} clients: {len(times) / SECONDS:8,.0f}/s, {percentiles(times)}"
    )


def quiet() -> None:
    """Keep the caller's own collections, which stop all requests, out of what is measured."""
    gc.collect()
    gc.freeze()
    gc.disable()


async def open_loop(writers: list[WriterProcess], rate: int) -> None:
    times: list[float] = []
    tasks = []
    started = time.perf_counter()
    for number in range(int(rate * SECONDS)):
        delay = started + number / rate - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        tasks.append(asyncio.create_task(timed(writers[number % len(writers)], times)))
    await asyncio.gather(*tasks)
    took = time.perf_counter() - started
    print(f"open loop, {rate:,}/s offered: {len(times) / took:8,.0f}/s, {percentiles(times)}")


async def measure(place: str, servers: int) -> None:
    writers = [WriterProcess(place, TERMS) for _ in range(servers)]
    for writer in writers:
        await writer.start()
    quiet()
    for clients in (8, 64):
        await closed_loop(writers, clients)
    await open_loop(writers, 2_000)
    for writer in writers:
        await writer.stop()


def in_process(place: str) -> None:
    """Measure the ledger alone, 64 decisions a transaction."""
    own, times = Ledger(open_store(place, TERMS)), []
    until, used = time.perf_counter() + SECONDS, 0.0
    while time.perf_counter() < until:
        batch = [command() for _ in range(64)]
        started, before = time.perf_counter(), time.process_time()
        own.apply(batch, START)  # type: ignore[arg-type]
        times.append(time.perf_counter() - started)
        used += time.process_time() - before
    own.close()
    decisions = 64 * len(times)
    rate, micros = decisions / sum(times), used / decisions * 1e6
    told = f"{percentiles(times)}, {micros:.0f} µs of processor each"
    print(f"in process, 64 at once:  {rate:8,.0f}/s, {told}")


def fill(place: str, rows: int) -> None:
    own = Ledger(open_store(place, TERMS))
    started = time.perf_counter()
    for _ in range(0, rows, 2_000):
        own.apply([command() for _ in range(2_000)], START)  # type: ignore[misc]
    own.close()
    print(f"{rows:,} entries written in {time.perf_counter() - started:,.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--postgres", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        synced_write(Path(name))
        if asked.postgres:
            programs = binaries()
            assert programs is not None, "no PostgreSQL server: make postgres"
            with server(programs, durable=True) as url:
                for servers in (1, 2):
                    print(f"{servers} on one pool:")
                    asyncio.run(measure(url, servers))
            return
        place = str(Path(name) / "ledger")
        if asked.rows:
            fill(place, asked.rows)
        in_process(place)
        asyncio.run(measure(place, 1))


if __name__ == "__main__":
    main()
