"""Integer programs through CP-SAT: exact in integers, and reproducible by its own clock."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

import numpy as np
import scipy.sparse as sp
from ortools.sat.python import cp_model

from incentive_engine.domain import BoolArray, FloatArray, IntArray

LARGEST: Final = 2.0**30
"""The largest integer coefficient. CP-SAT's presolve multiplies coefficients; OR-Tools 9.15 was
seen to cut off the optimum of a program with 11 pairs when one of them was 2^32."""

STATUS: Final = {
    cp_model.OPTIMAL: "optimal",
    cp_model.FEASIBLE: "feasible",
    cp_model.INFEASIBLE: "infeasible",
}


class Status(StrEnum):
    """What is known about an integer program."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Selection:
    """Select at most one pair (or one) per group, so that integer rows hold.

    Attributes
    ----------
    objective
        (p,) float64, what a pair is worth.
    group
        (p,) int64, sorted: pairs of one group exclude each other.
    forced
        Exactly one pair per group.
    matrix
        (r, p) sparse int64.
    lower, upper
        r integers each, None for no bound.
    hint
        (p,) bool, a selection to start from.
    elastic
        r penalties per unit by which a row may be broken; empty for none.
    """

    objective: FloatArray
    group: IntArray
    forced: bool
    matrix: sp.csr_array
    lower: tuple[int | None, ...]
    upper: tuple[int | None, ...]
    hint: BoolArray
    elastic: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SelectionAnswer:
    """What CP-SAT returned.

    Attributes
    ----------
    status
        What is known.
    chosen
        (p,) bool; empty without a selection.
    bound
        An upper bound on the objective, by the solver.
    broken
        (r,) int64, by how much rows are broken: above `upper` positive, below `lower` negative.
    """

    status: Status
    chosen: BoolArray
    bound: float
    broken: IntArray


NOTHING: Final = np.empty(0, dtype=bool)


def select(selection: Selection, *, effort: float, enough: float = np.inf) -> SelectionAnswer:
    """Solve a selection.

    Parameters
    ----------
    effort
        CP-SAT's deterministic time, about a second each; wall time would not be reproducible.
    enough
        The objective at which the search ends.
    """
    model = cp_model.CpModel()
    pairs = [model.new_bool_var("") for _ in range(len(selection.group))]
    _add_groups(model, selection, pairs)
    slacks = [_add_row(model, selection, pairs, row) for row in range(len(selection.lower))]
    unit = _add_objective(model, selection, pairs, slacks)
    for pair, hint in zip(pairs, selection.hint.tolist(), strict=True):
        model.add_hint(pair, hint)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.catch_sigint_signal = False  # Ctrl-C stays Python's, before and after
    solver.parameters.max_deterministic_time = effort
    solver.parameters.relative_gap_limit = 0.0
    status = Status(STATUS.get(solver.solve(model, Enough(enough * unit)), "unknown"))
    rows = len(selection.lower)
    if status not in {Status.OPTIMAL, Status.FEASIBLE}:
        return SelectionAnswer(
            status=status, chosen=NOTHING, bound=np.inf, broken=np.zeros(rows, dtype=np.int64)
        )
    broken = [
        (solver.value(over) if over is not None else 0)
        - (solver.value(under) if under is not None else 0)
        for over, under in slacks
    ]
    return SelectionAnswer(
        status=status,
        chosen=np.array([bool(solver.value(pair)) for pair in pairs], dtype=bool),
        bound=solver.best_objective_bound / unit,
        broken=np.array(broken, dtype=np.int64),
    )


class Enough(cp_model.CpSolverSolutionCallback):
    """Ends a search at the first selection that is good enough."""

    def __init__(self, objective: float) -> None:
        super().__init__()
        self.enough = objective

    def on_solution_callback(self) -> None:
        """Look at a selection that is better than all before."""
        if self.objective_value >= self.enough:
            self.stop_search()


def _add_groups(
    model: cp_model.CpModel, selection: Selection, pairs: list[cp_model.IntVar]
) -> None:
    starts = np.flatnonzero(np.diff(selection.group, prepend=-1))
    for start, stop in pairwise([*starts.tolist(), len(pairs)]):
        members = pairs[start:stop]
        model.add_exactly_one(members) if selection.forced else model.add_at_most_one(members)


def _add_row(
    model: cp_model.CpModel, selection: Selection, pairs: list[cp_model.IntVar], row: int
) -> tuple[cp_model.IntVar | None, cp_model.IntVar | None]:
    part = selection.matrix[[row]]
    used = cp_model.LinearExpr.weighted_sum(
        [pairs[at] for at in part.indices], [int(x) for x in part.data]
    )
    low, high = selection.lower[row], selection.upper[row]
    over = under = None
    if len(selection.elastic):
        widest = int(np.abs(part.data).sum()) + max(abs(low or 0), abs(high or 0))
        over = None if high is None else model.new_int_var(0, widest, "")
        under = None if low is None else model.new_int_var(0, widest, "")
    if high is not None:
        model.add(used - (0 if over is None else over) <= high)
    if low is not None:
        model.add(used + (0 if under is None else under) >= low)
    return over, under


def _add_objective(
    model: cp_model.CpModel,
    selection: Selection,
    pairs: list[cp_model.IntVar],
    slacks: list[tuple[cp_model.IntVar | None, cp_model.IntVar | None]],
) -> float:
    sizes = np.abs(np.concatenate([selection.objective, selection.elastic]))
    largest = float(np.max(sizes, initial=0.0))
    unit = LARGEST / largest if largest else 1.0
    worth = np.rint(selection.objective * unit).astype(np.int64)
    goal = cp_model.LinearExpr.weighted_sum(pairs, [int(x) for x in worth])
    if len(selection.elastic):
        each = np.maximum(np.rint(selection.elastic * unit), 1).astype(np.int64)
        goal -= sum(
            int(price) * slack
            for price, both in zip(each, slacks, strict=True)
            for slack in both
            if slack is not None
        )
    model.maximize(goal)
    return unit
