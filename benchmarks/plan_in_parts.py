"""What a driver holds while it plans: with the scores in memory, and with tasks that read them.

    python benchmarks/plan_in_parts.py --users 1000000,10000000 --engine local

Each size writes a Parquet file of scores (ten offers, two measures, twenty regions), then plans it
in processes of their own: `whole` reads the scores, states the problem and solves it in shards;
`parts` is `incentive allocate --parts` up to the run directory. Prints wall seconds, processor
seconds of the driver and of its workers, and the largest memory of either, and says whether both
plans are the same, user by user.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incentive_engine.allocation import build_problem, solve
from incentive_engine.data.scores import read_scores
from incentive_engine.fleet import Fleet, Processes, SharedWork
from incentive_engine.insight.budget.policy_options import BudgetOptions, read_policy
from incentive_engine.insight.findings import holdout_of
from incentive_engine.spark.executors import Spark
from incentive_engine.workflow.in_parts.allocate import allocate_in_parts

OFFERS = 10
CORES = 2
BLOCK = 1 << 18
POLICY = """
version: 1
name: parts
offers: [{offers}]
limits:
  - {{name: floor, sum: cost, where: {{region: r03}}, at_least: 6%}}
  - {{name: stock, sum: issued, offers: [o9], at_most: {stock}}}
budget: {{amount: {budget}}}
holdout: 0.05
"""


def write_scores(file: Path, users: int) -> None:
    """Write users with ten offers, block by block."""
    rng = np.random.default_rng(1)
    face = np.arange(5, 55, 5, dtype=np.float64)
    regions = np.array([f"r{place:02d}" for place in range(20)])
    writer: pq.ParquetWriter | None = None
    for start in range(0, users, BLOCK):
        size = min(BLOCK, users - start)
        base = rng.gamma(2.0, 0.03, size)
        columns = {
            "user_id": np.arange(start, start + size),
            "region": regions[rng.integers(0, 20, size)],
        }
        for j in range(OFFERS):
            effect = base * (1 - np.exp(-face[j] / 20)) * rng.lognormal(0, 0.5, size)
            columns[f"conversion__o{j}"] = effect.astype(np.float32)
            columns[f"cost__o{j}"] = (face[j] * (0.05 + base)).astype(np.float32)
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(file, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def plan(way: str, folder: Path, *, engine: str, shards: int) -> None:
    """Plan in one way, and print what it took."""
    fleet: Fleet = Spark(master=f"local[{CORES}]") if engine == "spark" else Processes()
    shared = SharedWork(fleet=fleet, folder=folder / "shared", shards=shards)
    file, scores = folder / "policy.yaml", folder / "scores.parquet"
    started = time.perf_counter()
    if way == "parts":
        allocate_in_parts(
            file, options=BudgetOptions(), scores=scores, shared=shared, out=folder / "run"
        )
    else:
        policy = read_policy(file, BudgetOptions(), with_scores=True)
        table = read_scores(scores, policy)
        problem = build_problem(policy, table, holdout_of(policy, table))
        choice = solve(problem, shared=shared).choice
        np.save(folder / "choice.npy", choice)
    seconds = time.perf_counter() - started
    own = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "seconds": seconds,
        "driver_cpu": own.ru_utime + own.ru_stime,
        "driver_gb": own.ru_maxrss / 1e6,
    }))  # fmt: skip


def same_plan(folder: Path) -> bool:
    """Return whether each user gets the same in both."""
    choice, start = np.load(folder / "choice.npy", mmap_mode="r"), 0
    names = pa.array([f"o{j}" for j in range(OFFERS)])
    for part in sorted((folder / "run" / "allocation.parquet").iterdir()):
        offer = pq.read_table(part, columns=["offer_id"]).column(0).combine_chunks()
        place = pc.fill_null(pc.index_in(offer, value_set=names), -1)
        if not np.array_equal(place.to_numpy(), choice[start : start + len(place)]):
            return False
        start += len(place)
    return start == len(choice)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", default="1000000", help="sizes, by commas")
    parser.add_argument("--engine", choices=("local", "spark"), default="local")
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--folder", help="where files go; left out: the system's own")
    parser.add_argument("--way", choices=("whole", "parts"), help="of one process; for itself")
    asked = parser.parse_args()
    if asked.way:
        plan(asked.way, Path(asked.folder), engine=asked.engine, shards=asked.shards)
        return
    for users in (int(float(size)) for size in asked.users.split(",")):
        with tempfile.TemporaryDirectory(dir=asked.folder) as name:
            compare(Path(name), users, engine=asked.engine, shards=asked.shards)


def compare(folder: Path, users: int, *, engine: str, shards: int) -> None:
    """Plan so many users in both ways."""
    write_scores(folder / "scores.parquet", users)
    offers = ", ".join(f"{{id: o{j}, face_value: {5 * j + 5}}}" for j in range(OFFERS))
    text = POLICY.format(offers=offers, stock=users // 100, budget=users // 2)
    (folder / "policy.yaml").write_text(text, encoding="utf-8")
    size = (folder / "scores.parquet").stat().st_size
    print(f"{users:,} users, {size / 1e6:,.0f} MB of scores, {shards} shards, {engine}")
    for way in ("whole", "parts"):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        call = [sys.executable, __file__, "--way", way, "--folder", str(folder)]
        call += ["--engine", engine, "--shards", str(shards)]
        done = subprocess.run(  # noqa: S603 - this program
            call, capture_output=True, text=True, check=True, env=os.environ
        )
        took = json.loads(done.stdout.splitlines()[-1])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(
            f"  {way:6} {took['seconds']:7.1f} s  driver {took['driver_cpu']:6.1f} CPU s, "
            f"{took['driver_gb']:.2f} GB  all {cpu:6.1f} CPU s"
        )
    print(f"  same plan: {same_plan(folder)}")


if __name__ == "__main__":
    main()
