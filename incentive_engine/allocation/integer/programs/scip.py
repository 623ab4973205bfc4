"""Integer programs through SCIP: strong on hundreds of users, exact only after a check."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from ortools.linear_solver.python import model_builder_helper as helper

from incentive_engine.allocation.dual.linear_program import typical_size
from incentive_engine.allocation.integer.programs.cp_sat import Selection, SelectionAnswer
from incentive_engine.allocation.solver_report import Status
from incentive_engine.domain import FloatArray
from incentive_engine.parallel import interruptible


def branch(selection: Selection, *, nodes: int, enough: float) -> SelectionAnswer:
    """Solve a selection without elastic rows.

    Parameters
    ----------
    nodes
        The most branch-and-bound nodes; wall time would not be reproducible.
    enough
        The objective at which the search ends.
    """
    unit = typical_size(selection.objective)
    model = _model(selection, unit)
    solver: Any = helper.ModelSolverHelper("SCIP")
    # SCIP's tolerance on rows, whose largest coefficient is made 1; callers check sums exactly
    tolerance = 1e-9
    # the part of the nodes that may pass without a better selection: the bound hardly moves then
    patient = 0.4
    # simplex steps of the linear program at a node: none of hundreds of users needs a tenth
    pivots = 200_000
    solver.set_solver_specific_parameters(
        f"limits/nodes = {nodes}\nlimits/primal = {enough / unit!r}\nlimits/gap = 0\n"
        f"limits/stallnodes = {max(round(patient * nodes), 1)}\n"
        f"numerics/feastol = {tolerance!r}\nlp/iterlim = {pivots}\nlp/rootiterlim = {pivots}\n"
        "misc/catchctrlc = FALSE\n"
    )
    interruptible(lambda: solver.solve(model), stop=solver.interrupt_solve)
    status = {
        helper.SolveStatus.OPTIMAL: Status.OPTIMAL,
        helper.SolveStatus.FEASIBLE: Status.FEASIBLE,
        helper.SolveStatus.INFEASIBLE: Status.INFEASIBLE,
    }.get(solver.status(), Status.UNKNOWN)
    if status not in {Status.OPTIMAL, Status.FEASIBLE}:
        return SelectionAnswer(status=status)
    return SelectionAnswer(
        status=status,
        # SCIP returns 0.9999999 for a pair that it takes
        chosen=np.asarray(solver.variable_values(), dtype=np.float64) > 0.5,
        bound=unit * float(solver.best_objective_bound()),
    )


def _model(selection: Selection, unit: float) -> Any:  # noqa: ANN401 - OR-Tools publishes no usable types
    pairs = len(selection.group)
    group = np.unique(selection.group, return_inverse=True)[1]
    once = sp.csr_array((np.ones(pairs), (group, np.arange(pairs))))
    groups = once.shape[0]
    largest = np.asarray(abs(selection.matrix).max(axis=1).todense(), dtype=np.float64).ravel()
    size = np.where(largest > 0, largest, 1.0)
    rows = selection.matrix.astype(np.float64).multiply(1.0 / size[:, None])
    forced = np.full(groups, 1.0 if selection.forced else -np.inf)
    model: Any = helper.ModelBuilderHelper()
    model.fill_model_from_sparse_data(
        np.zeros(pairs),
        np.ones(pairs),
        selection.objective / unit,
        np.concatenate([forced, _bounds(selection.lower, -np.inf) / size]),
        np.concatenate([np.ones(groups), _bounds(selection.upper, np.inf) / size]),
        sp.csr_matrix(sp.vstack([once, rows])),
    )
    model.set_maximize(True)
    for pair, hint in enumerate(selection.hint.tolist()):
        model.set_var_integrality(pair, True)
        model.add_hint(pair, float(hint))
    return model


def _bounds(bounds: tuple[int | None, ...], missing: float) -> FloatArray:
    return np.array([missing if bound is None else bound for bound in bounds], dtype=np.float64)
