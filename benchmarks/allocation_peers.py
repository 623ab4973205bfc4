"""The engine and general solvers given the whole model, on the same problems in one run.

    python benchmarks/allocation_peers.py [--users N ...] [--limits 1 31] [--solvers NAME ...]

The whole table takes about forty minutes; a part of it is asked for by its numbers of users and
limits and its solvers. The engine is asked in any case, so that every gap is of one run.

Problems are those of `whatif.py`: 10 offers, float32 columns; one limit (a budget of a fifth of
what the plan without one costs) or 31 (10 stocks and 20 region caps besides, ten of which bind).
GLOP, PDLP and HiGHS (its interior point method, without crossover) may split users; SCIP gives
whole offers, as the engine does, and ends at the engine's own gap. Each runs in a process of its
own, with one thread, and is stopped after three minutes of solving; one that was stopped is not
asked for a problem with as many users and limits or more of either. Seconds are those of building
the model and solving it, from arrays; memory is the process's peak meanwhile, the arrays
included. The gap is to the engine's certified bound; the violation is the largest share by which
a limit, or the one offer of a user, is passed. Compiled code is loaded before the clock starts.
HiGHS comes with
`pip install -r benchmarks/requirements-peers.txt`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from ortools.linear_solver.python import model_builder_helper as helper
from whatif import REGIONS, market, with_budget

from incentive_engine.allocation.budgets.curve import Curve
from incentive_engine.allocation.params import PLAN
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import MICROS, FloatArray, to_micros

SECONDS = 180.0
BUILDING = 60.0
"""Seconds for making the data and the model, after which a process is ended from outside."""

SHARE = 0.2
SOLVERS = ("engine", "GLOP", "PDLP", "HiGHS", "SCIP")

Answer = dict[str, float | None]
"""What a process reports: value, bound, violation, seconds, megabytes."""


def campaign(users: int, limits: int) -> Problem:
    """Return a problem with one limit or 31."""
    plain = market(users)
    bare = replace(plain, limits=())
    free = Curve(bare).plan(bare).amounts(Curve(bare).users, {})["cost"]
    problem = with_budget(plain, round(SHARE * free, 2))
    if limits == 1:
        return replace(problem, limits=tuple(x for x in problem.limits if x.name == "budget"))
    tight = {f"region[{r:02}]" for r in range(0, REGIONS, 2)}
    return replace(
        problem,
        limits=tuple(
            replace(x, at_most=0.9 * (x.at_most or 0.0)) if x.name in tight else x
            for x in problem.limits
        ),
    )


def engine(problem: Problem) -> tuple[float, float | None, float]:
    """Return value, bound and violation of the engine's plan."""
    certificate = solve(problem).certificate
    return certificate.value, certificate.bound, 0.0 if certificate.feasible else np.inf


def rows_of_limits(problem: Problem) -> tuple[sp.csr_array, FloatArray]:
    """Return (L, k·n) sparse usage of every pair, offer by offer, and the limits' bounds."""
    rows = []
    for limit in problem.limits:
        measure = limit.terms[0][0]
        used = np.ones(problem.value.shape)
        if measure == "cost":  # rounded up, as money is counted
            used = to_micros(problem.columns[0]) / MICROS
        if limit.cells is not None:
            used = used * limit.cells[problem.cell]
        if limit.offers is not None:
            used = used * limit.offers[:, None]
        rows.append(sp.csr_array(used.reshape(1, -1)))
    return sp.csr_array(sp.vstack(rows)), np.array([x.at_most for x in problem.limits], float)


def whole(problem: Problem, solver: str) -> tuple[float, float | None, float]:
    """Return value, bound and violation of a general solver's answer."""
    limits, most = rows_of_limits(problem)
    k, n = problem.value.shape
    once = sp.hstack([sp.identity(n, format="csr")] * k, format="csr")
    matrix = sp.csr_matrix(sp.vstack([once, limits], format="csr"))
    upper = np.concatenate([np.ones(n), most])
    worth = problem.value.astype(float).ravel()
    ask = with_highs if solver == "HiGHS" else with_ortools
    x = ask(worth, matrix, upper, solver)
    passed = (matrix @ x - upper) / np.maximum(upper, 1e-9)
    return float(worth @ x), None, float(max(passed.max(), -x.min(), 0.0))


def with_ortools(
    worth: FloatArray, matrix: sp.csr_matrix, upper: FloatArray, solver: str
) -> FloatArray:
    """Return what GLOP, PDLP or SCIP take of each pair."""
    model: Any = helper.ModelBuilderHelper()
    model.fill_model_from_sparse_data(
        np.zeros(len(worth)),
        np.ones(len(worth)),
        worth,
        np.full(len(upper), -np.inf),
        upper,
        matrix,
    )
    model.set_maximize(True)
    if solver == "SCIP":
        for pair in range(len(worth)):
            model.set_var_integrality(pair, True)
    asked: Any = helper.ModelSolverHelper(solver)
    if solver == "SCIP":
        asked.set_solver_specific_parameters(f"limits/gap = {PLAN.plan_gap}")
    asked.set_time_limit_in_seconds(SECONDS)
    asked.solve(model)
    if not asked.has_solution():
        raise TimeoutError
    return np.asarray(asked.variable_values(), dtype=np.float64)


def with_highs(
    worth: FloatArray, matrix: sp.csr_matrix, upper: FloatArray, solver: str
) -> FloatArray:
    """Return what HiGHS takes of each pair."""
    highspy: Any = import_module("highspy")
    columns = matrix.tocsc()
    lp: Any = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(worth), len(upper)
    lp.col_cost_, lp.sense_ = worth, highspy.ObjSense.kMaximize
    lp.col_lower_, lp.col_upper_ = np.zeros(len(worth)), np.ones(len(worth))
    lp.row_lower_, lp.row_upper_ = np.full(len(upper), -highspy.kHighsInf), upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = columns.indptr, columns.indices
    lp.a_matrix_.value_ = columns.data
    asked: Any = highspy.Highs()
    asked.setOptionValue("output_flag", False)
    asked.setOptionValue("threads", 1)
    asked.setOptionValue("time_limit", SECONDS)
    asked.setOptionValue("solver", "ipm")
    asked.setOptionValue("run_crossover", "off")
    asked.passModel(lp)
    asked.run()
    if asked.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise TimeoutError(solver)
    return np.asarray(asked.getSolution().col_value, dtype=np.float64)


def measured(solver: str, users: int, limits: int) -> Answer:
    """Return what a solver does with a problem, in this process."""
    problem = campaign(users, limits)
    if solver == "engine":  # compiled code is loaded before
        solve(problem)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets VmHWM
    started = time.perf_counter()
    value, bound, violation = engine(problem) if solver == "engine" else whole(problem, solver)
    seconds = time.perf_counter() - started
    status = Path("/proc/self/status").read_text(encoding="ascii").split()
    return {
        "value": value,
        "bound": bound,
        "violation": violation,
        "seconds": seconds,
        "megabytes": int(status[status.index("VmHWM:") + 1]) / 1024,
    }


def asked(solver: str, users: int, limits: int) -> Answer | str:
    """Return a solver's answer from a process of its own, or why there is none."""
    command = [sys.executable, __file__, "--child", solver, str(users), str(limits)]
    try:
        done = subprocess.run(  # noqa: S603 - this very script
            command, capture_output=True, text=True, timeout=SECONDS + BUILDING, check=False
        )
    except subprocess.TimeoutExpired:
        return "stopped"
    if done.returncode == 0:
        answer: Answer = json.loads(done.stdout.splitlines()[-1])
        return answer
    last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
    if last.startswith("ModuleNotFoundError"):
        return "not installed"
    return "stopped" if last.startswith("TimeoutError") else last[:60]


def line(users: int, limits: int, solver: str, answer: Answer | str, bound: float) -> str:
    """Return a line of the table; the gap is to the engine's bound."""
    head = f"{users:<10,} {limits:>6} {solver:7}"
    if isinstance(answer, str):
        return f"{head} {answer}"
    value = answer["value"] or 0.0
    return (
        f"{head} {value:12.3f} {(bound - value) / bound:10.1e} {answer['violation']:10.1e}"
        f" {answer['seconds']:8.2f} {answer['megabytes']:8,.0f}"
    )


def main(sizes: list[int], numbers: list[int], solvers: list[str]) -> None:
    print("users      limits solver         value        gap  violation  seconds       MB")
    stopped: set[tuple[str, int]] = set()
    for users in sizes:
        for limits in numbers:
            bound = np.nan
            for solver in solvers:
                known = any((solver, fewer) in stopped for fewer in (1, limits))
                answer = "not run" if known else asked(solver, users, limits)
                if isinstance(answer, str) or (answer["seconds"] or 0.0) >= SECONDS:
                    stopped |= {(solver, limits)}
                if not isinstance(answer, str):
                    bound = answer["bound"] or bound
                print(line(users, limits, solver, answer, bound), flush=True)


def whole_number(word: str) -> int:
    """Return a number such as 1e6.

    >>> whole_number("1e6")
    1000000
    """
    return int(float(word))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(measured(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
    else:
        ask = argparse.ArgumentParser(description="The engine and general solvers.")
        sizes = [10_000, 100_000, 1_000_000]
        ask.add_argument("--users", nargs="+", type=whole_number, default=sizes)
        ask.add_argument("--limits", nargs="+", type=int, choices=(1, 31), default=[1, 31])
        ask.add_argument("--solvers", nargs="+", choices=SOLVERS, default=list(SOLVERS))
        given = ask.parse_args()
        asked_for = [solver for solver in SOLVERS if solver in {SOLVERS[0], *given.solvers}]
        main(given.users, given.limits, asked_for)
