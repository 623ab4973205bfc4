"""Integer programs through CP-SAT: exact in integers, and reproducible by its own clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from ortools.sat.python import cp_model_helper as helper

from incentive_engine.allocation.integer.programs.decimals import decimals_of
from incentive_engine.allocation.solver_report import Status
from incentive_engine.domain import BoolArray, FloatArray, IntArray
from incentive_engine.parallel import interruptible


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

    LARGEST: ClassVar[float] = 2.0**30
    """The largest integer coefficient. CP-SAT's presolve multiplies coefficients; OR-Tools 9.15
    was seen to cut off the optimum of programs with 11 to 18 pairs at 2^30 and above."""

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
    model = helper.CpModelProto()
    pairs = len(selection.group)
    for _ in range(pairs):
        _add_variable(model, 1)
    model.solution_hint.vars.extend(list(range(pairs)))
    model.solution_hint.values.extend(selection.hint.astype(int).tolist())
    _add_groups(model, selection)
    slacks = [_add_row(model, selection, row) for row in range(len(selection.lower))]
    unit = _add_objective(model, selection, slacks)
    answer = _solved(model, Enough(enough * unit), effort=effort, presolve=not is_tiny(pairs))
    status = _status_of(answer)
    if status not in {Status.OPTIMAL, Status.FEASIBLE}:
        return SelectionAnswer(status=status)
    # what rounding may have taken from each user's pair belongs to the bound
    rounded = rounded_off(selection.objective, unit) * len(np.unique(selection.group))
    return SelectionAnswer(
        status=status,
        chosen=np.array(list(answer.solution)[:pairs], dtype=bool),
        bound=(answer.best_objective_bound + rounded) / unit,
    )


def is_tiny(pairs: int) -> bool:
    """Return whether presolve is left out of a program: it saves nothing, and could be wrong."""
    return pairs <= 100


def _status_of(answer: Any) -> Status:  # noqa: ANN401 - the same
    statuses = {
        helper.OPTIMAL: Status.OPTIMAL,
        helper.FEASIBLE: Status.FEASIBLE,
        helper.INFEASIBLE: Status.INFEASIBLE,
    }
    return statuses.get(answer.status, Status.UNKNOWN)


def integers_per_unit(objective: FloatArray) -> float:
    """Return the factor by which values become integers, small ones where they are decimals.

    With small integers few objectives are possible, and a bound between two of them is known to
    be the lower one.
    """
    decimals = decimals_of(objective, largest=Selection.LARGEST)
    if decimals is not None:
        return decimals.size
    return Selection.LARGEST / float(np.max(np.abs(objective)))


def rounded_off(objective: FloatArray, unit: float) -> float:
    """Return by how much the integers that stand for values are off at most."""
    scaled = objective * unit
    return float(np.max(np.abs(scaled - np.rint(scaled)), initial=0.0))


class Enough(helper.SolutionCallback):
    """Ends a search at the first selection that is good enough."""

    def __init__(self, objective: float) -> None:
        super().__init__()
        self.enough = objective

    def OnSolutionCallback(self) -> None:  # noqa: N802 - the solver calls it so
        """Look at a selection that is better than all before."""
        if self.ObjectiveValue() >= self.enough:
            self.StopSearch()


def _solved(model: Any, callback: Enough, *, effort: float, presolve: bool) -> Any:  # noqa: ANN401 - the same
    parameters = helper.SatParameters()
    # several workers would make the result depend on the machine's load
    parameters.num_workers = 1
    parameters.catch_sigint_signal = False  # Ctrl-C stays Python's, before and after
    parameters.cp_model_presolve = presolve
    parameters.linearization_level = 2
    parameters.max_deterministic_time = effort
    parameters.relative_gap_limit = 0.0
    solver: Any = helper.SolveWrapper()
    solver.set_parameters(parameters)
    solver.add_solution_callback(callback)
    answer = interruptible(lambda: solver.solve(model), stop=solver.stop_search)
    solver.clear_solution_callback(callback)
    return answer


def _add_variable(model: Any, most: int) -> int:  # noqa: ANN401 - the same
    """Add an integer from 0 to `most`; return its place."""
    model.variables.add().domain.extend([0, most])
    return len(model.variables) - 1


def _add_groups(model: Any, selection: Selection) -> None:  # noqa: ANN401 - the same
    starts = np.flatnonzero(np.diff(selection.group, prepend=-1))
    for start, stop in pairwise([*starts.tolist(), len(selection.group)]):
        constraint = model.constraints.add()
        group = constraint.exactly_one if selection.forced else constraint.at_most_one
        group.literals.extend(list(range(start, stop)))


def _add_row(
    model: Any,  # noqa: ANN401 - the same
    selection: Selection,
    row: int,
) -> tuple[list[int], int]:
    """Add a row; return the slacks by which it may be broken, and how far at most."""
    entries = selection.matrix[[row]]
    used, weights = entries.indices.tolist(), entries.data.astype(int).tolist()
    # beyond what all pairs together can add up to a bound says nothing, and may overflow
    reach = int(np.abs(entries.data).sum()) + 1
    slacks = []
    lowest = -(2**63)
    highest = 2**63 - 1
    for bound, sign in ((selection.upper[row], -1), (selection.lower[row], 1)):
        if bound is None:
            continue
        slack = [_add_variable(model, 2 * reach)] if len(selection.elastic) else []
        slacks += slack
        limit = min(max(bound, -reach), reach)
        linear = model.constraints.add().linear
        linear.vars.extend([*used, *slack])
        linear.coeffs.extend([*weights, *([sign] * len(slack))])
        linear.domain.extend([lowest, limit] if sign < 0 else [limit, highest])
    return slacks, 2 * reach


def _add_objective(
    model: Any,  # noqa: ANN401 - the same
    selection: Selection,
    slacks: list[tuple[list[int], int]],
) -> float:
    """Add the objective; return the integer that stands for one unit of it."""
    pairs = len(selection.objective)
    unit = integers_per_unit(selection.objective)
    if len(selection.elastic):
        widest = np.array([most for _, most in slacks], dtype=np.float64)
        largest = float(np.max(np.abs(selection.objective), initial=0.0))
        # all penalties together stay below this, far from what an int64 holds
        elastic = 2.0**52
        unit = elastic / float(selection.elastic @ widest + largest * pairs)
    goal = model.objective
    goal.scaling_factor = -1.0  # the solver minimises
    goal.vars.extend(list(range(pairs)))
    goal.coeffs.extend((-np.rint(selection.objective * unit).astype(np.int64)).tolist())
    for penalty, (rows, _) in zip(selection.elastic.tolist(), slacks, strict=False):
        goal.vars.extend(rows)
        goal.coeffs.extend([max(round(penalty * unit), 1)] * len(rows))
    return unit
