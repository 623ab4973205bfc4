"""The best plan that differs from a given one in a core only, and what is proven about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from incentive_engine.allocation.branching import branch
from incentive_engine.allocation.core import Core, rest_of
from incentive_engine.allocation.program import selection_of
from incentive_engine.allocation.rows import Rows
from incentive_engine.allocation.selection import (
    TINY,
    Selection,
    SelectionAnswer,
    Status,
    select,
)
from incentive_engine.allocation.sweep import Choice, tally
from incentive_engine.allocation.users import Users

EFFORT: Final = 0.1
"""CP-SAT's deterministic seconds per program."""

NODES: Final = 30
"""SCIP's nodes per program."""

Solver = Callable[[Selection], SelectionAnswer]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What a search ended with.

    Attributes
    ----------
    plan
        (n,) int16, None when no plan was found.
    value
        What the whole plan is worth, −inf without one.
    status
        `optimal` and `infeasible` are proven for plans that differ in the core only.
    bound
        The solver's bound on the value of such plans.
    """

    plan: Choice | None = None
    value: float = -np.inf
    status: Status = Status.UNKNOWN
    bound: float = np.inf


def improve(
    users: Users,
    rows: Rows,
    core: Core,
    start: Choice,
    *,
    enough: float,
    whole: bool,
    times: int = 1,
) -> Found:
    """Return the best plan that differs from `start` in the core only.

    SCIP is asked first, and CP-SAT, which is exact, where SCIP finds nothing or its tolerance
    lets a sum pass its bound. Where the core has all users, CP-SAT is asked first, and SCIP
    unless that ends with a proof; a tiny program is solved by both in any case, so that neither
    is taken at its word.

    Parameters
    ----------
    start
        (n,) int16, the choices of everyone outside the core.
    enough
        The plan's value at which the search ends.
    whole
        The core has all users who have a choice.
    times
        How many times the usual effort may be spent.
    """
    rest = rest_of(users, start, core)
    missing = enough - rest.value
    exact = partial(select, effort=times * EFFORT, enough=missing)
    branching = partial(branch, nodes=times * NODES, enough=missing)

    def attempt(solver: Solver) -> Found:
        def ask(margin: int) -> SelectionAnswer:
            return solver(selection_of(users, rows, core, rest, start, margin=margin))

        return _checked(users, rows, core, start, ask, others=rest.value)

    if not whole:
        found = attempt(branching)
        return attempt(exact) if found.plan is None else found
    found = attempt(exact)
    if found.status is Status.OPTIMAL and len(core.user) > TINY:
        return found
    return _agreed(found, attempt(branching))


def _agreed(exact: Found, other: Found) -> Found:
    """Return the better of two answers to one program; only CP-SAT's proofs count."""
    bound = min(exact.bound, other.bound)
    if other.value <= exact.value:
        return replace(exact, bound=bound)
    near = other.value - exact.value <= 1e-9 * abs(other.value)
    proven = near and exact.status is Status.OPTIMAL
    return replace(other, status=Status.OPTIMAL if proven else Status.FEASIBLE, bound=other.bound)


def _checked(
    users: Users,
    rows: Rows,
    core: Core,
    start: Choice,
    ask: Callable[[int], SelectionAnswer],
    *,
    others: float,
) -> Found:
    """Ask with bounds let out by rounding, and where that breaks a limit, with bounds taken in."""
    first = ask(1)
    bound = first.bound + others
    if not first.found:
        return Found(status=first.status, bound=bound)
    for answer in (first, ask(-1)) if _breaks(users, rows, core, start, first) else (first,):
        if answer.found and not _breaks(users, rows, core, start, answer):
            plan = _plan_of(core, start, answer)
            return Found(
                plan=plan,
                value=tally(users, plan).value,
                status=first.status if answer is first else Status.FEASIBLE,
                bound=bound,
            )
    return Found(bound=bound)


def _plan_of(core: Core, start: Choice, answer: SelectionAnswer) -> Choice:
    plan = start.copy()
    plan[core.index] = core.choice_of(answer.chosen)
    return plan


def _breaks(users: Users, rows: Rows, core: Core, start: Choice, answer: SelectionAnswer) -> bool:
    return bool(rows.excess(tally(users, _plan_of(core, start, answer))).any())
