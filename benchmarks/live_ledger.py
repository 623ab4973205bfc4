"""Durable decisions of a ledger: closed loop at 8 and 64 clients, open loop at 2,000 a second.

    python benchmarks/live_ledger.py                       # SQLite, in a temporary directory
    python benchmarks/live_ledger.py --rows 5000000        # with so many decisions in it before
    python benchmarks/live_ledger.py --postgres            # a PostgreSQL server of its own: one
                                                           # writer, then two on the same pool,
                                                           # with 8 clients each as well

Clients are tasks of one process, the writer is another; every answer is durable. The first and the
last line are what a synced write costs on this disk, since nothing is faster than that. Beside a
loop stands what a batch took, from its first read to the disk: the rest of the latency is the way
to the writer and back, and the queue. In a ledger that was filled the users have ids in no order,
so that each changes a page of its own in every index.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import psycopg
import uvloop

from export.postgres_server import binaries, server
from incentive_engine.live.ledger.commands import Decided
from incentive_engine.live.ledger.ledger import Ledger, open_store
from incentive_engine.live.ledger.stores.change_buffer import digest_of
from incentive_engine.live.writing.process import WriterProcess
from incentive_engine.live.writing.wire import Commit
from live.ledgers import BUDGET, FLOOR, SECOND, START, STOCK, YUAN, reserve, terms

SECONDS = 5.0
TERMS = terms(budget=10**17, stock=10**12)
CLAIMS = ((BUDGET, 10 * YUAN), (STOCK, 1), (FLOOR, 10 * YUAN))


def command() -> object:
    return reserve(str(uuid4()), claims=CLAIMS)


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


def tell_batches(commits: list[Commit]) -> None:
    """Print what batches took, and forget them."""
    size = sum(commit.commands for commit in commits) / len(commits)
    print(f"    a batch of {size:4.1f}: {percentiles([c.micros / 1e6 for c in commits])}")
    commits.clear()


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
    commits: list[Commit] = []
    writers = [WriterProcess(place, TERMS, on_commit=commits.append) for _ in range(servers)]
    started = time.perf_counter()
    for writer in writers:
        await writer.start()
    print(f"start: {time.perf_counter() - started:.2f} s")
    quiet()
    for clients in sorted({8, 8 * servers, 64}):
        await closed_loop(writers, clients)
        tell_batches(commits)
    await open_loop(writers, 2_000)
    tell_batches(commits)
    for writer in writers:
        await writer.stop()


def in_process(place: str, at_once: int = 64) -> None:
    """Measure the ledger alone, so many decisions a transaction."""
    own, times = Ledger(open_store(place, TERMS)), []
    database = backend(place) if place.startswith("postgresql:") else None
    until, used = time.perf_counter() + SECONDS, 0.0
    served = cpu_seconds(database)
    while time.perf_counter() < until:
        batch = [command() for _ in range(at_once)]
        started, before = time.perf_counter(), time.process_time()
        own.apply(batch, START)  # type: ignore[arg-type]
        times.append(time.perf_counter() - started)
        used += time.process_time() - before
    used += cpu_seconds(database) - served
    own.close()
    decisions = at_once * len(times)
    rate, micros = decisions / sum(times), used / decisions * 1e6
    told = f"{percentiles(times)}, {micros:.0f} µs of processor each"
    print(f"in process, {at_once:2} at once:  {rate:8,.0f}/s, {told}")


def backend(url: str) -> int:
    """Return the process of the database that serves the ledger."""
    query = (
        "SELECT pid FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    with psycopg.connect(url) as asking:
        ((pid,),) = asking.execute(query).fetchall()
    return int(pid)


def cpu_seconds(process: int | None) -> float:
    """Return the processor time of another process; 0 for none."""
    if process is None:
        return 0.0
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(place: str, rows: int) -> None:
    """Copy one decision to so many users, ids and keys in no order; the chain stays as it is."""
    own = Ledger(open_store(place, TERMS))
    own.apply([command()], START)  # type: ignore[list-item]
    own.close()
    started, later = time.perf_counter(), START + 365 * 86_400 * SECOND
    columns = "offer_id, reason, state, scene, cost, face, amount, claims, decided_at"
    with closing(sqlite3.connect(place)) as file:
        file.execute("PRAGMA synchronous = OFF")
        file.execute("PRAGMA cache_size = -1000000")
        file.execute("CREATE TEMP TABLE numbers (n INTEGER PRIMARY KEY)")
        file.execute(
            "WITH RECURSIVE c(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n < ?) "
            "INSERT INTO numbers SELECT n FROM c",
            (rows,),
        )
        # made at the end, sorted: one by one, in no order, they would take an hour
        indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        named = dict(file.execute(indexes).fetchall())
        for name in named:
            file.execute(f"DROP INDEX {name}")
        file.execute(
            f"INSERT INTO decisions SELECT n, lower(hex(randomblob(16))), {columns}, ? + n, "  # noqa: S608 - columns of ours
            "prices_version, propensity, n FROM numbers, decisions WHERE seq = 1",
            (later,),
        )
        file.execute(
            "INSERT INTO entries SELECT n, at, n, state, amount, chain "
            "FROM numbers, entries WHERE seq = 1"
        )
        file.execute("INSERT INTO requests SELECT n, randomblob(16), zeroblob(16), n FROM numbers")
        file.create_function("digest", 1, digest_of, deterministic=True)
        for index, digests in (
            ("request_index", "SELECT key, seq FROM requests ORDER BY key"),
            ("live_index", "SELECT digest(user_id) AS d, seq FROM decisions ORDER BY d"),
        ):
            file.execute(f"INSERT OR REPLACE INTO {index} {digests}")
            file.execute("UPDATE index_marks SET seq = ? WHERE name = ?", (rows, index))
        for statement in named.values():
            file.execute(statement)
        file.execute("UPDATE head SET seq = ?", (rows,))
        file.execute("UPDATE pool SET reserved = reserved * ?", (rows,))
        file.commit()
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.sync()  # what was filled is no part of what is measured
    size, took = Path(place).stat().st_size / 1e9, time.perf_counter() - started
    print(f"{rows:,} decisions written in {took:,.0f} s, {size:.1f} GB")


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
                for at_once in (8, 64):
                    in_process(url, at_once)
                for servers in (1, 2):
                    print(f"{servers} on one pool:")
                    uvloop.run(measure(url, servers))
            synced_write(Path(name))
            return
        place = str(Path(name) / "ledger")
        if asked.rows:
            fill(place, asked.rows)
        in_process(place)
        uvloop.run(measure(place, 1))
        synced_write(Path(name))


if __name__ == "__main__":
    main()
