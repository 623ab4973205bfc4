"""The integer plan: everyone at the prices, and the users nearest a tie by an integer program."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.core import Core, build_core, nearest
from incentive_engine.allocation.draft import Draft
from incentive_engine.allocation.filling import fill
from incentive_engine.allocation.prices import Optimum
from incentive_engine.allocation.rows import Rows
from incentive_engine.allocation.search import improve
from incentive_engine.allocation.selection import Status
from incentive_engine.allocation.sweep import TIED, precision, sweep
from incentive_engine.allocation.users import Users
from incentive_engine.domain import IntArray

GOAL: Final = 3e-7
"""The relative gap at which a plan is good enough and the search ends."""

WHOLE: Final = 300
"""Up to so many users the integer program has all of them, and all their offers."""

FIRST: Final = 150
"""Users in the first program: those whose choice costs least to change."""

SECOND: Final = 1_000
"""Users in a program that only looks for a better plan."""

FINE: Final = 0.04
"""A plan within this part of what an average offer is worth is good enough, too."""

LARGEST: Final = 4_000
"""Users in the largest program, for plans that fewer users cannot repair."""

THOROUGH: Final = 100
"""How many times the usual effort goes to a program that has all users."""

CAREFUL: Final = 10
"""How many times the usual effort goes to a program that betters a plan."""

FRACTIONAL: Final = 1e-6
"""A share of the linear program this far from 0 and 1 is a split user."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntegerPlan:
    """A plan, or what is known when there is none.

    Attributes
    ----------
    plan
        None when none was found.
    value
        What it is worth, −inf without one.
    status
        `optimal` or `infeasible` only when proven for all users.
    bound
        The solver's own bound on the value when its program had all users, else infinite.
    core
        How many users the last program had.
    """

    plan: Draft | None = None
    value: float = -np.inf
    status: Status = Status.UNKNOWN
    bound: float = np.inf
    core: int = 0


def make_plan(
    users: Users,
    rows: Rows,
    optimum: Optimum,
    *,
    good_enough: float = GOAL,
    start: Draft | None = None,
) -> IntegerPlan:
    """Return a plan that keeps every limit, as good as the programs find.

    A change of a user's choice loses some of the bound. No plan within the gap of a known one
    makes a change that loses more than the gap, so the users who could lose less are all that a
    program needs; the first program has a fixed number to find the gap.

    Parameters
    ----------
    good_enough
        The relative gap at which the search ends.
    start
        A plan that keeps every limit; None begins at the prices.
    """
    rounded = round_prices(users, rows, optimum)
    dual, whole, base = optimum.point.dual, users.n <= WHOLE, start or rounded.draft
    if start is None and not whole:
        base = fill(users, rows, base, optimum.point.prices, loss=rounded.loss)
    share = max(good_enough, FINE / max(optimum.point.table.treated, 1.0))
    goal = 0.0 if whole and good_enough <= GOAL else share * abs(dual)
    best = IntegerPlan()
    if not rows.excess(base.table).any():
        best = IntegerPlan(plan=base, value=base.table.value, status=Status.FEASIBLE)
    price = rows.prices_of_pairs(optimum.point.prices, users.shape)
    loss = rounded.loss
    loss[rounded.split] = 0.0
    scope = Scope(size=users.n if whole else FIRST, widening=1.0)
    while dual - best.value > goal:
        held = best.plan or base
        index = nearest(loss, users.key, scope.size)
        lost = dual - best.value
        reach = float(np.max(loss[index], initial=0.0))
        narrow = np.inf if whole else max(2.0 * reach * scope.widening, share * abs(dual))
        core = build_core(
            users,
            rows,
            index,
            prices=optimum.point.prices,
            most_pairs=users.k,
            allowance=min(narrow, lost * (1.0 + 1e-9)),
            kept=held.choice[index],
        )
        beyond = reach >= lost + precision(users, price)
        complete = whole or (best.plan is not None and beyond and narrow >= lost)
        enough = dual - goal if goal else np.inf
        found = _attempt(users, rows, core, held, enough=enough, complete=complete, lost=lost)
        best = found if found.value > best.value or best.plan is None else _settled(best, found)
        needed = int(np.count_nonzero(loss <= dual - best.value))
        following = scope.after(known=best.plan is not None, needed=needed, users=users.n)
        if complete or following is None:
            break
        scope = following
    return best


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How many users a program has, and how much of the bound their pairs may lose."""

    size: int
    widening: float

    def after(self, *, known: bool, needed: int, users: int) -> Scope | None:
        """Return what the next program looks at, None when there is no better one.

        Parameters
        ----------
        known
            There is a plan.
        needed
            The users who could be part of a better one.
        users
            All users.
        """
        if known:
            size = min(needed, SECOND, max(3 * self.size, 3 * FIRST))
            return Scope(size=size, widening=1.0) if self.size < size else None
        if self.size >= min(LARGEST, users):
            return None
        return Scope(size=min(4 * self.size, LARGEST, users), widening=16.0 * self.widening)


def _attempt(
    users: Users,
    rows: Rows,
    core: Core,
    start: Draft,
    *,
    enough: float,
    complete: bool,
    lost: float,
) -> IntegerPlan:
    """Return what a program finds; only a complete one, which misses no plan, proves anything."""
    whole = users.n <= WHOLE
    times = THOROUGH if whole else CAREFUL if np.isfinite(lost) else 1
    found = improve(users, rows, core, start, enough=enough, whole=whole, times=times)
    status = found.status
    if not complete:
        status = Status.FEASIBLE if found.plan is not None else Status.UNKNOWN
    return IntegerPlan(
        plan=found.plan,
        value=found.value,
        status=status,
        bound=found.bound if complete else np.inf,
        core=len(core.index),
    )


def _settled(best: IntegerPlan, found: IntegerPlan) -> IntegerPlan:
    """Return the better plan with what a later program has found out about it."""
    return replace(best, status=found.status, bound=found.bound, core=found.core)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rounded:
    """Prices and the linear program, as whole offers.

    Attributes
    ----------
    draft
        Everyone's choice, whether limits hold or not.
    split
        (s,) int64, the users whom the program split.
    loss
        (n,) of the columns' type, what each user's next best choice would lose.
    """

    draft: Draft
    split: IntArray
    loss: npt.NDArray[Any]


def round_prices(users: Users, rows: Rows, optimum: Optimum) -> Rounded:
    """Return everyone's choice at the prices and the linear program.

    Users who are tied at the prices choose as if limits were a little dearer, so that thousands
    of them do not break a limit together.
    """
    choice = np.empty(users.n, dtype=np.int16)
    loss = np.empty(users.n, dtype=users.value.dtype)
    dear = rows.prices_of_pairs((1.0 + TIED) * optimum.point.prices, users.shape)
    draft = Draft(choice=choice, table=sweep(users, dear, choice=choice, loss=loss))
    if optimum.step is None:
        return Rounded(draft=draft, split=np.empty(0, dtype=np.int64), loss=loss)
    core, shares = optimum.step.core, optimum.step.shares
    halves = core.user[(shares > FRACTIONAL) & (shares < 1.0 - FRACTIONAL)]
    return Rounded(
        draft=draft.changed(users.take(core.index), core.index, core.choice_of(shares > 0.5)),
        split=core.index[np.unique(halves)],
        loss=loss,
    )
