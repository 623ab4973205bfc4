"""Plans by Spark on this machine beside the engine alone: seconds, bytes, memory, and a model.

    python benchmarks/spark_plans.py --users 100000,1000000

Prints a line per size: the plan in this process, on shards in processes, and on Spark
(`local[2]`); what the shards weigh, the sweeps, the seconds of one sweep each way, and the largest
memory of this process. Every plan is compared with the first choice by choice. Then a
model, seconds = overhead + users × seconds per user and core ÷ cores, is fitted to the sweeps, and
asked about 1e9 users on 100 cores.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.population.from_problem import users_of
from incentive_engine.allocation.population.shards.spread import in_shards
from incentive_engine.allocation.problem import BudgetPool, Problem
from incentive_engine.fleet import Fleet, Processes, SharedWork
from incentive_engine.spark.executors import Spark

OFFERS = 10
CELLS = 20
CORES = 2


def draw_problem(users: int) -> Problem:
    """Return users with ten offers, a budget, a floor and a stock."""
    rng = np.random.default_rng(1)
    base = rng.gamma(2.0, 0.03, users).astype(np.float32)
    face = np.arange(5, 55, 5, dtype=np.float64)
    value = np.empty((OFFERS, users), dtype=np.float32)
    cost = np.empty((1, OFFERS, users), dtype=np.float32)
    for j in range(OFFERS):
        value[j] = base * (1 - np.exp(-face[j] / 20)) * rng.lognormal(0, 0.5, users)
        cost[0, j] = face[j] * (0.05 + base)
    budget = 0.5 * users
    return Problem(
        offers=tuple(f"o{j}" for j in range(OFFERS)),
        value=value,
        measures=("cost",),
        columns=cost,
        face=face,
        cell=rng.integers(0, CELLS, users).astype(np.uint16),
        n_cells=CELLS,
        limits=(
            sum_limit("budget", "cost", at_most=budget),
            sum_limit("floor", "cost", at_least=0.1 * budget, cells=np.arange(CELLS) == 3),
            sum_limit("stock", "issued", at_most=0.01 * users, offers=np.arange(OFFERS) == 9),
        ),
        pool=BudgetPool(amount=budget),
    )


def sweep_seconds(problem: Problem, work: SharedWork, *, times: int = 5) -> float:
    """Return the median seconds of a sweep over shards that workers have mapped already."""
    users = users_of(problem)
    price = np.full((2, CELLS, OFFERS), 0.01)
    with in_shards(users, work) as shared:
        taken = []
        for _ in range(times + 1):
            start = time.perf_counter()
            shared.usage(price)
            taken.append(time.perf_counter() - start)
    return float(np.median(taken[1:]))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", default="100000,1000000", help="sizes, by commas")
    parser.add_argument("--shards", type=int, default=8)
    asked = parser.parse_args()
    fleets: dict[str, Fleet] = {
        "processes": Processes(workers=CORES),
        "spark": Spark(master=f"local[{CORES}]"),
    }
    sizes, swept = [], []
    with tempfile.TemporaryDirectory() as folder:
        for users in (int(float(size)) for size in asked.users.split(",")):
            problem = draw_problem(users)
            solve(problem)  # compiled
            start = time.perf_counter()
            alone = solve(problem)
            print(f"{users:,} users, {problem.value.nbytes * 2 / 1e6:,.0f} MB of columns")
            print(f"  alone      plan {time.perf_counter() - start:7.2f} s", end="")
            print(f"  gap {alone.certificate.gap:.1e}")
            for name, fleet in fleets.items():
                work = SharedWork(fleet=fleet, folder=Path(folder), shards=asked.shards)
                one = sweep_seconds(problem, work)
                start = time.perf_counter()
                plan = solve(problem, shared=work)
                seconds = time.perf_counter() - start
                same = bool(np.array_equal(plan.choice, alone.choice))
                print(f"  {name:10} plan {seconds:7.2f} s  sweep {one:.3f} s  same plan: {same}")
            sizes.append(users)
            swept.append(one)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            print(f"  largest memory of this process until now: {peak:.2f} GB")
    if len(sizes) > 1:
        per_user, overhead = np.polyfit(sizes, swept, 1)
        core = per_user * CORES
        far = max(overhead, 0.0) + 1e9 * core / 100
        print(f"a sweep on Spark: {overhead:.2f} s + {core * 1e9:.1f} ns x users / cores")
        print(f"  1e9 users on 100 cores, by that model: {far:.1f} s a sweep")


if __name__ == "__main__":
    main()
