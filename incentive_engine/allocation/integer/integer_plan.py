"""The integer plan: everyone at the prices, and the users nearest a tie by an integer program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.dual.prices import Optimum
from incentive_engine.allocation.dual.sweep import TIED, precision, sweep
from incentive_engine.allocation.integer.core import build_core, nearest
from incentive_engine.allocation.integer.core_search import Found, improve
from incentive_engine.allocation.integer.cp_sat import Status
from incentive_engine.allocation.integer.draft import Draft
from incentive_engine.allocation.integer.improvement import (
    QUICK,
    TRADERS,
    Search,
    better_of,
    bettered,
)
from incentive_engine.allocation.integer.ties import fill
from incentive_engine.allocation.limit_maps import Rows
from incentive_engine.allocation.users import Users
from incentive_engine.domain import IntArray

GOAL: Final = 3e-7
"""The relative gap at which a plan is good enough and the search ends."""

WHOLE: Final = 300
"""Up to so many users the integer program has all of them, and all their offers."""

FIRST: Final = 150
"""Users in the first program: those whose choice costs least to change."""

FINE: Final = 0.01
"""A plan within this part of what an average offer is worth is good enough, too."""

FAIR: Final = 0.1
"""Within this part it is not worth the time that integer programs take."""

LARGEST: Final = 4_000
"""Users in the largest program, for plans that fewer users cannot repair."""

THOROUGH: Final = 100
"""How many times the usual effort goes to a program that has all users."""

MOST_THOROUGH: Final = 300
"""The same for small programs, which proofs take longest for their size but still end."""

SMALL: Final = 750
"""Pairs in a program that is no longer small."""

EXACT: Final = 1e-9
"""The relative gap between the linear program and the bound at which both are the same."""

FRACTIONAL: Final = 1e-6
"""A share of the linear program this far from 0 and 1 is a split user."""


def make_plan(
    users: Users,
    rows: Rows,
    optimum: Optimum,
    *,
    good_enough: float = GOAL,
    start: Draft | None = None,
) -> Found:
    """Return a plan that keeps every limit, as good as the programs find.

    The first program has few users, those nearest a tie; exchanges between more of them follow,
    and where there is no plan yet, programs with ever more users and offers. Others better it.

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
    share = max(good_enough, FINE / max(optimum.treated, 1.0))
    goal = 0.0 if whole and good_enough <= GOAL else share * abs(dual)
    best = Found()
    if not rows.excess(base.table).any():
        best = Found(plan=base, value=base.table.value, status=Status.FEASIBLE)
    loss = rounded.loss
    loss[rounded.split] = 0.0
    margin = precision(users, rows.prices_of_pairs(optimum.point.prices, users.shape))
    search = Search(
        users=users,
        rows=rows,
        optimum=optimum,
        loss=loss,
        goal=goal,
        fair=max(good_enough, FAIR / max(optimum.treated, 1.0)) * abs(dual),
        margin=margin,
    )
    size, widening = users.n if whole else FIRST, 1.0
    while dual - best.value > goal:
        held = best.plan or base
        index = nearest(loss, users.key, size)
        lost = dual - best.value
        reach = float(np.max(loss[index], initial=0.0))
        narrow = np.inf if whole else max(2.0 * reach * widening, search.fair)
        core = build_core(
            users,
            rows,
            index,
            prices=optimum.point.prices,
            most_pairs=users.k,
            allowance=min(narrow, lost * (1.0 + 1e-9)),
            kept=held.choice[index],
        )
        beyond = reach >= lost + margin
        complete = whole or (best.plan is not None and beyond and narrow >= lost)
        enough = dual - search.fair if goal else np.inf
        times = QUICK if size == FIRST else 1.0
        if whole:
            times = min(THOROUGH * max(SMALL / max(len(core.user), 1), 1.0), MOST_THOROUGH)
        found = improve(users, rows, core, held, enough=enough, whole=whole, times=times)
        best = better_of(best, found, complete=complete)
        if size == FIRST and not complete and dual - best.value > goal:
            found = search.trade(best.plan or base, search.nearest(TRADERS))
            best = better_of(best, found, complete=False)
        if complete or best.plan is not None or size >= min(LARGEST, users.n):
            break
        size, widening = min(4 * size, LARGEST, users.n), 16.0 * widening
    if whole or best.status is Status.OPTIMAL or best.plan is None:
        return best
    return bettered(search, best)


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

    Where the program met the bound, everyone it left out chooses as it took for granted. Else
    users who are tied at the prices choose as if limits were a little dearer, so that thousands
    of them do not break a limit together.
    """
    choice = np.empty(users.n, dtype=np.int16)
    loss = np.empty(users.n, dtype=users.value.dtype)
    dear = rows.prices_of_pairs((1.0 + TIED) * optimum.point.prices, users.shape)
    draft = Draft(choice=choice, table=sweep(users, dear, choice=choice, loss=loss))
    if optimum.step is None:
        return Rounded(draft=draft, split=np.empty(0, dtype=np.int64), loss=loss)
    if optimum.gap <= EXACT:
        around = rows.prices_of_pairs(optimum.step.base, users.shape)
        draft = Draft(choice=choice, table=sweep(users, around, choice=choice))
    core, shares = optimum.step.core, optimum.step.shares
    halves = core.user[(shares > FRACTIONAL) & (shares < 1.0 - FRACTIONAL)]
    return Rounded(
        draft=draft.changed(users.take(core.index), core.index, core.choice_of(shares > 0.5)),
        split=core.index[np.unique(halves)],
        loss=loss,
    )
