"""Integer programs through CP-SAT: exact in integers, and reproducible by its own clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Final

import numpy as np
import scipy.sparse as sp
from ortools.sat.python import cp_model

from incentive_engine.domain import BoolArray, FloatArray, IntArray

LARGEST: Final = 2.0**30
"""The largest integer coefficient. CP-SAT's presolve multiplies coefficients; OR-Tools 9.15 was
seen to cut off the optimum of programs with 11 to 18 pairs at 2^30 and above."""

TINY: Final = 100
"""Up to so many pairs presolve is left out: it saves nothing there, and could be wrong."""

ELASTIC: Final = 2.0**52
"""All penalties together stay below this, far from what an int64 holds."""

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
    """What a solver returned.

    Attributes
    ----------
    status
        What is known.
    chosen
        (p,) bool; empty without a selection.
    bound
        An upper bound on the objective, by the solver.
    """

    status: Status
    chosen: BoolArray = field(default_factory=lambda: np.empty(0, dtype=bool))
    bound: float = np.inf

    @property
    def found(self) -> bool:
        """Whether there is a selection."""
        return self.status in {Status.OPTIMAL, Status.FEASIBLE}


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
    solver.parameters.cp_model_presolve = len(pairs) > TINY
    solver.parameters.linearization_level = 2
    solver.parameters.max_deterministic_time = effort
    solver.parameters.relative_gap_limit = 0.0
    status = Status(STATUS.get(solver.solve(model, Enough(enough * unit)), "unknown"))
    if status not in {Status.OPTIMAL, Status.FEASIBLE}:
        return SelectionAnswer(status=status)
    rounded = 0.5 * len(np.unique(selection.group))
    return SelectionAnswer(
        status=status,
        chosen=np.array([bool(solver.value(pair)) for pair in pairs], dtype=bool),
        bound=(solver.best_objective_bound + rounded) / unit,
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
) -> tuple[cp_model.IntVar | None, cp_model.IntVar | None, int]:
    """Add a row; return what it may be broken by above and below, and how far at most."""
    part = selection.matrix[[row]]
    used = cp_model.LinearExpr.weighted_sum(
        [pairs[at] for at in part.indices], [int(x) for x in part.data]
    )
    reach = int(np.abs(part.data).sum()) + 1
    low, high = (
        None if bound is None else min(max(bound, -reach), reach)
        for bound in (selection.lower[row], selection.upper[row])
    )
    over = under = None
    if len(selection.elastic):
        over = None if high is None else model.new_int_var(0, 2 * reach, "")
        under = None if low is None else model.new_int_var(0, 2 * reach, "")
    if high is not None:
        model.add(used - (0 if over is None else over) <= high)
    if low is not None:
        model.add(used + (0 if under is None else under) >= low)
    return over, under, 2 * reach


def _add_objective(
    model: cp_model.CpModel,
    selection: Selection,
    pairs: list[cp_model.IntVar],
    slacks: list[tuple[cp_model.IntVar | None, cp_model.IntVar | None, int]],
) -> float:
    """Add the objective; return the integer that stands for one unit of it."""
    largest = float(np.max(np.abs(selection.objective), initial=0.0))
    unit = LARGEST / largest if largest else 1.0
    if len(selection.elastic):
        widest = np.array([most for _, _, most in slacks], dtype=np.float64)
        unit = ELASTIC / float(selection.elastic @ widest + largest * len(pairs))
    worth = np.rint(selection.objective * unit).astype(np.int64)
    goal = cp_model.LinearExpr.weighted_sum(pairs, [int(x) for x in worth])
    for penalty, (over, under, _) in zip(selection.elastic.tolist(), slacks, strict=False):
        each = max(round(penalty * unit), 1)
        goal -= sum(each * slack for slack in (over, under) if slack is not None)
    model.maximize(goal)
    return unit
