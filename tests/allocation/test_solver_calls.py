"""Calls of solvers end: by a bound of their own with another way behind it, or when asked to."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import scipy.sparse as sp

from incentive_engine.allocation.dual import near_tie_model
from incentive_engine.allocation.dual.linear_program import (
    LinearAnswer,
    LinearProgram,
    solve_lp,
)
from incentive_engine.allocation.params import LinearParams
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.errors import SolverError
from incentive_engine.parallel import interruptible

from .campaign import campaign

LATE = "use_dual_simplex: true max_number_of_iterations: 0 use_preprocessing: false"
"""A route that ends without an optimum, as one does that reaches its bound."""


def knapsack(n: int) -> LinearProgram:
    """Return n things worth n, n - 1, … of which three fit."""
    return LinearProgram(
        objective=np.arange(n, 0.0, -1.0),
        most=np.ones(n),
        matrix=sp.csr_array(np.ones((1, n))),
        lower=np.array([-np.inf]),
        upper=np.array([3.0]),
    )


def test_a_program_that_the_first_route_does_not_end_is_solved_by_another() -> None:
    params = LinearParams(routes=(LATE, "use_dual_simplex: false"))
    assert solve_lp(knapsack(5), params).objective == pytest.approx(5 + 4 + 3)


def test_every_route_has_a_bound_of_the_solvers_own_clock() -> None:
    params = LinearParams(routes=("use_preprocessing: false",), effort=1e-12, effort_per_entry=0.0)
    rng = np.random.default_rng(5)
    program = LinearProgram(
        objective=rng.random(300),
        most=np.ones(300),
        matrix=sp.csr_array(rng.random((200, 300))),
        lower=np.full(200, -np.inf),
        upper=np.full(200, 5.0),
    )
    with pytest.raises(SolverError, match="GLOP: it ended as"):
        solve_lp(program, params)


def test_prices_are_found_with_smaller_programs_where_large_ones_are_not_solved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = campaign(3_000, seed=3)
    expected = solve(problem).certificate
    refused: list[int] = []

    def small_only(program: LinearProgram, params: LinearParams) -> LinearAnswer:
        if len(program.objective) > 1_600:
            refused.append(len(program.objective))
            raise SolverError
        return solve_lp(program, params)

    monkeypatch.setattr(near_tie_model, "solve_lp", small_only)
    certificate = solve(problem).certificate
    assert refused
    assert certificate.feasible
    assert certificate.gap < 0.01
    assert certificate.bound >= expected.value
    assert certificate.value <= expected.bound


def test_who_waits_for_a_library_hears_a_stop_and_asks_the_library_to_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, begun = threading.Event(), time.monotonic()

    def stopped() -> None:
        time.sleep(0.3)
        raise OSError

    def wait_for_ever() -> None:
        asked.wait(60)

    monkeypatch.setattr("incentive_engine.parallel.go_on", stopped)
    with pytest.raises(OSError, match=r"^$"):
        interruptible(wait_for_ever, stop=asked.set)
    assert asked.is_set()
    assert time.monotonic() - begun < 5


def test_what_a_library_raises_is_raised_where_it_was_called() -> None:
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0, stop=lambda: None)
