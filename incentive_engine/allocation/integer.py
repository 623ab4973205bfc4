"""The integer plan: everyone at the prices, and the users nearest a tie by an integer program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp

from incentive_engine.allocation.core import Core, build_core, nearest, rest_of
from incentive_engine.allocation.prices import Optimum
from incentive_engine.allocation.rows import Rows
from incentive_engine.allocation.selection import (
    LARGEST,
    Selection,
    SelectionAnswer,
    Status,
    select,
)
from incentive_engine.allocation.sweep import Choice, Table, distances, sweep, tally
from incentive_engine.allocation.users import Users
from incentive_engine.domain import FloatArray, IntArray

GOAL: Final = 3e-7
"""The relative gap at which a plan is good enough and the search ends."""

WHOLE: Final = 300
"""Up to so many users the integer program has all of them, and all their offers."""

ATTEMPTS: Final = ((250, 4, 0.5), (800, 5, 3.0), (3_000, 6, 12.0))
"""Users, offers per user, and effort (CP-SAT's deterministic seconds) of each program in turn."""

FRACTIONAL: Final = 1e-6
"""A share of the linear program this far from 0 and 1 is a split user."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntegerPlan:
    """A plan, or the proof that there is none.

    Attributes
    ----------
    choice
        (n,) int16 canonical positions, −1 for none; None when none was found.
    status
        What is known: `optimal` when the program held every user and was solved to its end,
        `infeasible` when it held every user and has no solution.
    bound
        The solver's own bound on the value when the program held every user, else infinite.
    core
        How many users the last program held.
    """

    choice: Choice | None
    status: Status
    bound: float
    core: int


def make_plan(users: Users, rows: Rows, optimum: Optimum) -> IntegerPlan:
    """Return a plan that keeps every limit, as good as the attempts find."""
    base, split = round_prices(users, rows, optimum)
    table = tally(users, base)
    dual = optimum.point.dual
    goal = GOAL * max(abs(dual), 1e-12)
    best: Choice | None = None
    worth = -np.inf
    if not rows.excess(table).any():
        best, worth = base, table.value
        if dual - worth <= (0.0 if users.n <= WHOLE else goal):
            return IntegerPlan(choice=best, status=Status.FEASIBLE, bound=np.inf, core=0)
    distance = distances(users, rows.prices_of_pairs(optimum.point.prices, users.shape))
    distance[split] = np.minimum(distance[split], 0.0)
    last = IntegerPlan(choice=best, status=Status.UNKNOWN, bound=np.inf, core=0)
    for size, offers, effort in ATTEMPTS:
        whole = users.n <= max(WHOLE, size)
        index = nearest(distance, users.key, users.n if whole else size)
        core = build_core(
            users,
            rows,
            index,
            prices=optimum.point.prices,
            most_pairs=users.k if whole else offers,
        )
        start = base if best is None else best
        plan, answer = improve(
            users, rows, core, start, effort=10.0 if users.n <= WHOLE else effort,
            gap=0.0 if users.n <= WHOLE else goal / 2,
        )  # fmt: skip
        before = worth
        if plan is not None and (value := tally(users, plan).value) > worth:
            best, worth = plan, value
        status = answer.status if whole or answer.status is Status.FEASIBLE else Status.UNKNOWN
        bound = answer.bound if whole else np.inf
        last = IntegerPlan(choice=best, status=status, bound=bound, core=len(index))
        if whole and status in {Status.OPTIMAL, Status.INFEASIBLE}:
            break
        settled = answer.status is Status.OPTIMAL and worth - before <= goal
        if dual - worth <= goal or users.n <= WHOLE or settled:
            break
    return last


def round_prices(users: Users, rows: Rows, optimum: Optimum) -> tuple[Choice, IntArray]:
    """Return everyone's choice at the prices and the linear program, and the split users."""
    choice = np.empty(users.n, dtype=np.int16)
    sweep(users, rows.prices_of_pairs(optimum.point.prices, users.shape), choice=choice)
    if optimum.step is None:
        return choice, np.empty(0, dtype=np.int64)
    core, shares = optimum.step.core, optimum.step.shares
    choice[core.index] = core.choice_of(shares > 0.5)
    halves = core.user[(shares > FRACTIONAL) & (shares < 1.0 - FRACTIONAL)]
    return choice, core.index[np.unique(halves)]


def improve(
    users: Users, rows: Rows, core: Core, start: Choice, *, effort: float, gap: float
) -> tuple[Choice | None, SelectionAnswer]:
    """Return the best plan that differs from `start` in the core only, None when none is found.

    Parameters
    ----------
    start
        (n,) int16, the choices of everyone outside the core.
    effort, gap
        As in `select`.
    """
    rest = rest_of(users, start, core)
    for margin in (1, -1):
        selection = selection_of(users, rows, core, rest, start, margin=margin)
        answer = select(selection, effort=effort, gap=gap)
        if answer.status not in {Status.OPTIMAL, Status.FEASIBLE}:
            return None, answer
        plan = start.copy()
        plan[core.index] = core.choice_of(answer.chosen)
        if not rows.excess(tally(users, plan)).any():
            return plan, answer
    return None, answer


def selection_of(
    users: Users,
    rows: Rows,
    core: Core,
    rest: Table,
    start: Choice,
    *,
    margin: int,
    elastic: FloatArray | None = None,
) -> Selection:
    """Return the integer program over a core.

    Parameters
    ----------
    rest
        What everyone outside the core uses.
    margin
        Sums that are not exact in integers are rounded: 1 lets their bounds out by what the
        rounding can amount to, −1 takes them in.
    elastic
        (L,) float64, penalties per natural unit by which limits may be broken; None for none.
    """
    lower, upper = rows.residual(rest)
    steps = row_steps(rows, core.usage)
    exact = steps == rows.unit
    play = np.where(exact, 0, margin * len(core.index))
    matrix = core.usage.multiply(steps[:, None]).tocsr()
    matrix.data = np.rint(matrix.data)
    return Selection(
        objective=core.value,
        group=core.user,
        forced=users.forced,
        matrix=sp.csr_array(matrix.astype(np.int64)),
        lower=_whole(np.where(exact, np.rint(lower * steps), np.ceil(lower * steps)) - play),
        upper=_whole(np.where(exact, np.rint(upper * steps), np.floor(upper * steps)) + play),
        hint=core.pairs_of(start[core.index]),
        elastic=np.empty(0) if elastic is None else elastic / steps,
    )


def row_steps(rows: Rows, usage: sp.csr_array) -> FloatArray:
    """Return (L,) the integer steps per natural unit of each limit.

    Money and counts are taken in their own integers as long as these are small enough for the
    solver; other sums, and larger money, are rounded to steps of the largest coefficient.
    """
    largest = np.zeros(len(rows.limits))
    if usage.shape[1]:
        largest = np.asarray(abs(usage).max(axis=1).todense(), dtype=np.float64).ravel()
    steps = LARGEST / np.where(largest > 0, largest, 1.0)
    return np.where((rows.unit > 0) & (rows.unit <= steps), rows.unit, steps)


def _whole(bounds: FloatArray) -> tuple[int | None, ...]:
    return tuple(int(bound) if np.isfinite(bound) else None for bound in bounds)


def drop_useless(users: Users, rows: Rows, choice: Choice) -> Choice:
    """Return the plan without offers of no value that no limit needs."""
    if users.forced:
        return choice
    taken = np.flatnonzero(choice >= 0)
    worth = users.value[users.order[choice[taken]], taken]
    useless = taken[worth <= 0]
    if not len(useless):
        return choice
    return _drop(users, rows, choice, useless[np.lexsort((users.key[useless], worth[worth <= 0]))])


def _drop(users: Users, rows: Rows, choice: Choice, candidates: IntArray) -> Choice:
    """Drop all candidates if the limits hold without them, else halves of them."""
    fewer = choice.copy()
    fewer[candidates] = -1
    if not rows.excess(tally(users, fewer)).any():
        return fewer
    if len(candidates) == 1:
        return choice
    half = len(candidates) // 2
    return _drop(users, rows, _drop(users, rows, choice, candidates[:half]), candidates[half:])
