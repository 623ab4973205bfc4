"""How long a certified whole plan takes, in sweeps, and how near a sweep is to copying.

    python benchmarks/allocation_scale.py [USERS ...]

Per number of users (10 offers; a budget, 10 stocks and 20 region caps, a floor; float32 columns):
seconds to copy the columns once, seconds of one sweep at the plan's prices on all threads, seconds
of the whole solve, the solve in sweeps, the certified gap, and how much memory the solve took
above the input. The first solves of small problems load the compiled code and are not counted.
Then where the time of the last solve went: the functions that look at users, and what else takes
time, in seconds and sweeps.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from whatif import REGIONS, market, with_budget

from incentive_engine.allocation.dual.lagrangian import LagrangianDual
from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.population.from_problem import users_of
from incentive_engine.allocation.population.limit_maps import rows_of
from incentive_engine.allocation.problem import Problem

STEPS = {
    "_largest": "read every number once, for units and faults",
    "_content_keys": "hash every user, to break ties by content",
    "draw_sample": "draw samples",
    "take": "copy the columns of samples, open users and cores",
    "sweep": "let users choose and add up",
    "reaches": "find the users whose choice is open in a box of prices",
    "dual_sum": "add up the certificate's bound exactly",
    "nearest": "find the users nearest a tie",
    "_curvature": "second derivatives for Newton steps",
    "solve_lp": "linear programs (GLOP)",
    "_program": "build them",
    "build_core": "pairs of near-tied users",
    "branch": "integer programs (SCIP)",
    "select": "integer programs (CP-SAT)",
    "rows_of": "limits as sparse rows",
    "cost_micros": "exact cost per user",
}
"""Functions of the profile; the time of one within another counts for both."""

SHARE = 0.2
"""The budget, as a share of what the cheapest offer for everyone costs."""


def campaign(users: int) -> Problem:
    """Return a problem with floors beside the caps."""
    plain = market(users)
    budget = round(SHARE * float(plain.columns[0].min(axis=0).sum(dtype=np.float64)), 2)
    floor = sum_limit("floor", "cost", at_least=0.048 * budget, cells=np.arange(REGIONS) == 3)
    return with_budget(replace(plain, limits=(*plain.limits, floor)), budget)


def main() -> None:
    sizes = [int(float(word)) for word in sys.argv[1:]] or [100_000, 1_000_000]
    for few in (20_000, 200_000):
        solve(campaign(few))
    print("users        copy s   sweep s   solve s   sweeps       gap   MB above input")
    for users in sizes:
        problem = campaign(users)
        copying = _seconds(partial(_copy, problem))
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets VmHWM
        before = _held("VmRSS")
        started = time.perf_counter()
        profile = cProfile.Profile()
        plan = profile.runcall(solve, problem)
        seconds = time.perf_counter() - started
        above = _held("VmHWM") - before
        sweep = _sweep(problem, plan)
        print(
            f"{users:<12,} {copying:7.3f} {sweep:9.3f} {seconds:9.2f} {seconds / sweep:8.1f}"
            f" {plan.certificate.gap:9.1e} {above:12,.0f}",
            flush=True,
        )
    _print_profile(profile, sweep)


def _print_profile(profile: cProfile.Profile, sweep: float) -> None:
    print("\n  seconds   sweeps  calls  of which")
    found = [
        (times[3], times[1], STEPS[where[2]], where[2])
        for where, times in pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
        if where[2] in STEPS and "allocation" in where[0]
    ]
    for seconds, calls, what, name in sorted(found, reverse=True):
        print(f"{seconds:9.3f} {seconds / sweep:8.1f} {calls:6}  {name}: {what}")


def _sweep(problem: Problem, plan: Allocation) -> float:
    """Return the seconds of one pass over all users at the plan's prices."""
    users = users_of(problem)
    rows = rows_of(problem, users, problem.enforced)
    prices = np.array([plan.prices[name] for name in rows.names], dtype=np.float64)
    return _seconds(partial(LagrangianDual(users=users, rows=rows).at, prices))


def _seconds(work: Callable[[], object]) -> float:
    best = np.inf
    for _ in range(3):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return float(best)


def _copy(problem: Problem) -> None:
    problem.value.copy()
    problem.columns.copy()


def _held(name: str) -> float:
    """Return a line of the process's status, MB: VmRSS what it holds, VmHWM the most so far."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
