"""Published small problems with proven optima, solved beside SCIP and HiGHS given the whole model.

    python benchmarks/allocation_instances.py DATA_DIR [--only WORD ...] [--solvers NAME ...]

DATA_DIR holds `mmkp_instances.parquet` and `mmkp_items.parquet`. Groups are users, items are
offers, and everyone gets exactly one. With words only the
instances whose names begin with one of them are solved. The engine solves each in any case; the
others are stopped after half a minute.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from ortools.linear_solver.python import model_builder_helper as helper

from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem

SECONDS = 30.0
PEERS = ("SCIP", "HIGHS")


def knapsack(row: Mapping[Any, Any], items: pd.DataFrame) -> tuple[Problem, float]:
    """Return a multiple-choice knapsack and its proven optimum."""
    items = items.sort_values(["group_id", "item"])
    user = pd.factorize(items["group_id"])[0]
    offer = items.groupby("group_id").cumcount().to_numpy()
    shape = int(offer.max()) + 1, int(user.max()) + 1
    value = np.full(shape, -np.inf)
    columns = np.zeros((int(row["n_resources"]), *shape))
    value[offer, user] = items["value"]
    columns[:, offer, user] = np.stack(items["weights"].tolist()).T
    names = tuple(f"resource{r}" for r in range(len(columns)))
    problem = Problem(
        offers=tuple(f"item{j:03}" for j in range(shape[0])),
        value=value,
        measures=names,
        columns=columns,
        limits=tuple(
            sum_limit(f"cap {name}", name, at_most=float(room))
            for name, room in zip(names, row["capacities"], strict=True)
        ),
        exactly_one=True,
    )
    return problem, float(row["reference_value"])


def whole(problem: Problem, solver_name: str) -> tuple[float, float, float]:
    """Return value, bound and seconds of a general solver given the whole model."""
    offer, user = np.nonzero(problem.value > -np.inf)
    pairs = np.arange(len(user))
    rows = [sp.csr_array((np.ones(len(pairs)), (user, pairs)))]
    for limit in problem.limits:
        used = problem.columns[problem.measures.index(limit.terms[0][0]), offer, user]
        counts = 1.0 if limit.offers is None else limit.offers[offer]
        rows.append(sp.csr_array((used * counts)[None]))
    n, most = problem.n_users, [float(x.at_most or 0.0) for x in problem.limits]
    model: Any = helper.ModelBuilderHelper()
    model.fill_model_from_sparse_data(
        np.zeros(len(pairs)),
        np.ones(len(pairs)),
        problem.value[offer, user],
        np.concatenate([np.ones(n), np.full(len(most), -np.inf)]),
        np.concatenate([np.ones(n), most]),
        sp.csr_matrix(sp.vstack(rows)),
    )
    model.set_maximize(True)
    for pair in range(len(pairs)):
        model.set_var_integrality(pair, True)
    solver: Any = helper.ModelSolverHelper(solver_name)
    solver.set_time_limit_in_seconds(SECONDS)
    began = time.perf_counter()
    solver.solve(model)
    seconds = time.perf_counter() - began
    value = float(solver.objective_value()) if solver.has_solution() else np.nan
    return value, float(solver.best_objective_bound()), seconds


def main(folder: Path, wanted: list[str], solvers: list[str]) -> None:
    """Print one line per instance and solver.

    Parameters
    ----------
    wanted
        Beginnings of instances' names; none for all.
    solvers
        Those beside the engine.
    """
    instances = pd.read_parquet(folder / "mmkp_instances.parquet")
    items = dict(list(pd.read_parquet(folder / "mmkp_items.parquet").groupby("instance")))
    print(f"{'instance':28} {'solver':7} {'value':>9} {'known':>9} {'bound':>11} {'gap':>9}     s")
    for row in instances.to_dict("records"):
        name = str(row["instance"])
        if wanted and not name.startswith(tuple(wanted)):
            continue
        problem, known = knapsack(row, items[name])
        began = time.perf_counter()
        certificate = solve(problem).certificate
        seconds = time.perf_counter() - began
        proven = certificate.solver.solver_bound
        bound = certificate.bound if proven is None else min(certificate.bound, proven)
        answers = {"engine": (certificate.value, bound, seconds)}
        answers |= {solver: whole(problem, solver) for solver in solvers}
        for solver, (value, bound, seconds) in answers.items():
            gap = max(bound - value, 0.0) / max(abs(bound), 1e-9)
            figures = f"{value:9.0f} {known:9.0f} {bound:11.2f} {gap:9.1e} {seconds:5.1f}"
            print(f"{name:28} {solver:7} {figures}", flush=True)


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description="The engine, SCIP and HiGHS on instances.")
    ask.add_argument("folder", type=Path)
    ask.add_argument("--only", nargs="+", default=[])
    ask.add_argument("--solvers", nargs="*", choices=PEERS, default=list(PEERS))
    given = ask.parse_args()
    main(given.folder, given.only, given.solvers)
