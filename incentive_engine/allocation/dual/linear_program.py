"""Linear programs through GLOP, in one narrow form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from ortools.linear_solver.python import model_builder_helper as helper

from incentive_engine.allocation.params import LinearParams
from incentive_engine.domain import FloatArray
from incentive_engine.errors import Fault, SolverError
from incentive_engine.language import say
from incentive_engine.parallel import interruptible


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearProgram:
    """Maximise objective·x subject to lower ≤ matrix·x ≤ upper and 0 ≤ x ≤ most.

    Attributes
    ----------
    objective, most
        (p,) float64.
    matrix
        (r, p) sparse float64.
    lower, upper
        (r,) float64.
    """

    objective: FloatArray
    most: FloatArray
    matrix: sp.csr_array
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearAnswer:
    """What GLOP returned.

    Attributes
    ----------
    x
        (p,) float64.
    duals
        (r,) float64, what one more unit of a row's bound is worth.
    objective
        The optimum that GLOP claims.
    """

    x: FloatArray
    duals: FloatArray
    objective: float


def typical_size(objective: FloatArray) -> float:
    """Return a power of two near the median of absolute coefficients other than 0, 1 for none.

    Solvers' tolerances suit coefficients near 1.

    >>> typical_size(np.array([0.0, -3e-9, 4e-9, 5e-9])) == 2.0**-28
    True
    """
    sizes = np.abs(objective[objective != 0])
    return float(np.exp2(np.rint(np.log2(np.median(sizes))))) if len(sizes) else 1.0


def solve_lp(program: LinearProgram, params: LinearParams) -> LinearAnswer:
    """Solve a linear program.

    Raises
    ------
    SolverError
        When GLOP ends without an optimum by any route, within its bounds; callers give it
        programs that have one.
    """
    unit = typical_size(program.objective)
    built: Any = helper.ModelBuilderHelper()
    built.fill_model_from_sparse_data(
        np.zeros(len(program.objective)),
        program.most,
        program.objective / unit,
        program.lower,
        program.upper,
        sp.csr_matrix(program.matrix),
    )
    built.set_maximize(True)
    effort = params.effort + params.effort_per_entry * program.matrix.nnz
    status = None
    # a route that circles costs little, because the next one begins before it is given more
    # how many times that a second try of each route may take
    patient = 10.0
    for times in (1.0, patient):
        for route in params.routes:
            solver = _ended(built, f"{route} max_deterministic_time: {times * effort!r}")
            status = solver.status()
            if status == helper.SolveStatus.OPTIMAL:
                return LinearAnswer(
                    x=np.asarray(solver.variable_values(), dtype=np.float64),
                    duals=unit * np.asarray(solver.dual_values(), dtype=np.float64),
                    objective=unit * float(solver.objective_value()),
                )
    raise SolverError(Fault("GLOP", say("it ended as {status}", status=status), "an optimum"))


def _ended(model: Any, parameters: str) -> Any:  # noqa: ANN401 - OR-Tools publishes no usable types
    """Return a solver that has ended, with an optimum or without."""
    solver: Any = helper.ModelSolverHelper("GLOP")
    solver.set_solver_specific_parameters(parameters)
    interruptible(lambda: solver.solve(model), stop=solver.interrupt_solve)
    return solver
