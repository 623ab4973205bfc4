"""What a driver holds while it plans: with the scores in memory, and with tasks that read them.

    python benchmarks/plan_in_parts.py --users 1000000,10000000 --engine local
    python benchmarks/plan_in_parts.py --users 1e6,1e7,1e8 --ways parts --shards 0 --folder /large

Each size writes a Parquet file of scores (ten offers, two measures, twenty regions), then plans it
in processes of their own: `whole` reads the scores, states the problem and solves it in shards;
`parts` is `incentive allocate --parts` up to the run directory. Prints wall seconds, processor
seconds of the driver and of its workers, the largest memory of the driver and the proof, and says
whether both plans are the same, user by user. After several sizes a model of the parts, seconds =
overhead + seconds per user × users, is fitted to what the driver does and to what workers do, and
asked about 1e9 users on 100 cores. `--shards 0` is a shard for a million users.

1e8 users take 13 GB of scores, as many again in the run, 9 GB of shards and 3 GB of parts.
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
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.data.scores import holdout_of, read_scores
from incentive_engine.data.sources import open_source
from incentive_engine.fleet import Fleet, Processes, SharedWork
from incentive_engine.insight.budget.policy_options import BudgetOptions, read_policy
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
    shared = SharedWork(fleet=fleet, folder=folder / "shared", shards=shards or None)
    file, scores = folder / "policy.yaml", folder / "scores.parquet"
    started = time.perf_counter()
    if way == "parts":
        certificate = allocate_in_parts(
            file, options=BudgetOptions(), scores=scores, shared=shared, out=folder / "run"
        ).certificate
    else:
        policy = read_policy(file, BudgetOptions(), with_scores=True)
        table = read_scores(open_source(scores), policy)
        problem = build_problem(policy, table, holdout_of(policy, table))
        solved = solve(problem, shared=shared)
        np.save(folder / "choice.npy", solved.choice)
        certificate = solved.certificate.to_dict()
    seconds = time.perf_counter() - started
    own = resource.getrusage(resource.RUSAGE_SELF)
    proof = f"gap {certificate['gap']:.1e}, feasible: {certificate['feasible']}"
    print(json.dumps({
        "seconds": seconds,
        "driver_cpu": own.ru_utime + own.ru_stime,
        "driver_gb": own.ru_maxrss / 1e6,
        "proof": proof,
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
    parser.add_argument("--ways", default="whole,parts", help="whole, parts, or both")
    parser.add_argument("--way", choices=("whole", "parts"), help="of one process; for itself")
    asked = parser.parse_args()
    if asked.way:
        plan(asked.way, Path(asked.folder), engine=asked.engine, shards=asked.shards)
        return
    took = []
    for users in (int(float(size)) for size in asked.users.split(",")):
        with tempfile.TemporaryDirectory(dir=asked.folder) as name:
            folder = Path(name)
            begin(folder, users)
            print(f"  {asked.shards or 'a million users per'} shards, {asked.engine}")
            for way in asked.ways.split(","):
                figures = run(folder, way, engine=asked.engine, shards=asked.shards)
                if way == "parts":
                    took.append((users, figures))
            if asked.ways == "whole,parts":
                print(f"  same plan: {same_plan(folder)}")
    if len(took) > 1:
        fit(took)


def begin(folder: Path, users: int) -> None:
    """Write policy and scores."""
    write_scores(folder / "scores.parquet", users)
    offers = ", ".join(f"{{id: o{j}, face_value: {5 * j + 5}}}" for j in range(OFFERS))
    text = POLICY.format(offers=offers, stock=users // 100, budget=users // 2)
    (folder / "policy.yaml").write_text(text, encoding="utf-8")
    size = (folder / "scores.parquet").stat().st_size
    print(f"{users:,} users, {size / 1e6:,.0f} MB of scores", flush=True)


def run(folder: Path, way: str, *, engine: str, shards: int) -> dict[str, float]:
    """Plan in one way, in a process of its own; print and return what it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call = [sys.executable, __file__, "--way", way, "--folder", str(folder)]
    call += ["--engine", engine, "--shards", str(shards)]
    done = subprocess.run(  # noqa: S603 - this program
        call, capture_output=True, text=True, check=True, env=os.environ
    )
    took = json.loads(done.stdout.splitlines()[-1])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took["cpu"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"  {way:6} {took['seconds']:7.1f} s  driver {took['driver_cpu']:6.1f} CPU s, "
        f"{took['driver_gb']:.2f} GB  all {took['cpu']:6.1f} CPU s  {took['proof']}",
        flush=True,
    )
    return {name: took[name] for name in ("driver_cpu", "driver_gb", "cpu")}


def fit(took: Sequence[tuple[int, dict[str, float]]]) -> None:
    """Print what a user costs the driver and its workers, and what a thousand million would."""
    sizes = np.array([users for users, _ in took], dtype=np.float64)
    figures = {
        "driver, CPU s": [each["driver_cpu"] for _, each in took],
        "workers, CPU s": [each["cpu"] - each["driver_cpu"] for _, each in took],
        "driver, GB": [each["driver_gb"] for _, each in took],
    }
    for name, values in figures.items():
        # relative errors count: the smallest size says as much as the largest
        slope, start = np.polyfit(sizes, values, 1, w=1 / np.array(values))
        far, cores = start + slope * 1e9, 100 if name.startswith("workers") else 1
        print(
            f"{name:15} {start:6.2f} + {slope * 1e6:.3f} per million users; "
            f"1e9 users: {far / cores:,.0f}" + (" on each of 100 cores" if cores > 1 else "")
        )


if __name__ == "__main__":
    main()
