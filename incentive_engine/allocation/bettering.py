"""A better plan than a known one: exchanges between users near a tie, and integer programs.

A change of a user's choice loses some of the bound. No plan within the gap of a known one makes a
change that loses more than the gap, so the users who could lose less are all that matter.

References
----------
Pisinger and Ropke, "Large neighborhood search", in Handbook of Metaheuristics (2010).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.core import Core, build_core, nearest
from incentive_engine.allocation.draft import Draft
from incentive_engine.allocation.prices import Optimum
from incentive_engine.allocation.rows import Rows
from incentive_engine.allocation.search import Found, exchanged, improve
from incentive_engine.allocation.selection import Status
from incentive_engine.allocation.users import Users
from incentive_engine.domain import IntArray

NEAR: Final = 1_000
"""Users nearest a tie, of whom the small programs have some each."""

COARSE: Final = 5e-5
"""The relative gap above which the last program may have more users than `NEAR`: takes seconds."""

MOST: Final = 3_000
"""How many these are at most."""

SOME: Final = 150
"""Users in each of the programs that take turns."""

TURNS: Final = 30
"""How many of these programs there are at most."""

PATIENCE: Final = 2
"""How many of them in a row may bring little."""

LITTLE: Final = 0.03
"""The part of the gap that is little."""

QUICK: Final = 1 / 30
"""Which part of the usual effort goes to each of them: a single node."""

CAREFUL: Final = 10.0
"""How many times the usual effort goes to a program that betters a plan."""

TRADERS: Final = 400
"""Users among whom exchanges are looked for."""

PAIRS: Final = 6_000
"""Pairs in the largest program that has everyone who matters: more take too long."""


def better_of(best: Found, found: Found, *, complete: bool) -> Found:
    """Return the better of two plans, with what the later program proves.

    Parameters
    ----------
    complete
        The later program misses no plan that is better than `best`.
    """
    if found.value <= best.value and best.plan is not None:
        found = replace(found, plan=best.plan, value=best.value)
    if complete:
        return found
    status = Status.UNKNOWN if found.plan is None else Status.FEASIBLE
    return replace(found, status=status, bound=np.inf)


def traded(
    users: Users,
    rows: Rows,
    optimum: Optimum,
    start: Draft,
    *,
    loss: npt.NDArray[Any],
    goal: float,
) -> Found:
    """Return a plan that exchanges between users near a tie lead to.

    Parameters
    ----------
    start
        The choices to start from, which may break limits.
    loss, goal
        As for `bettered`.
    """
    index = nearest(loss, users.key, TRADERS)
    prices, dual = optimum.point.prices, optimum.point.dual
    core = build_core(users, rows, index, prices=prices, kept=start.choice[index])
    return exchanged(users, rows, core, start, prices=prices, bound=dual, enough=dual - goal)


def bettered(
    users: Users,
    rows: Rows,
    optimum: Optimum,
    best: Found,
    *,
    loss: npt.NDArray[Any],
    goal: float,
    margin: float,
) -> Found:
    """Return a better plan than a known one, or that one.

    Small programs take turns, each with some of the users nearest a tie: they do in a second what
    one program with all of these does in twenty. At last one program has everyone who matters,
    where these are few: it may prove that there is no better plan.

    Parameters
    ----------
    loss
        (n,), what each user's next best choice loses of the bound.
    goal
        The gap at which the search ends, in the value's units.
    margin
        By how much losses may err.
    """
    dual, waited = optimum.point.dual, 0

    def core_of(plan: Found, index: IntArray) -> Core:
        assert plan.plan is not None
        return build_core(
            users,
            rows,
            index,
            prices=optimum.point.prices,
            most_pairs=users.k,
            allowance=(dual - plan.value) * (1.0 + 1e-9),
            kept=plan.plan.choice[index],
        )

    def attempt(plan: Found, core: Core, *, times: float) -> Found:
        assert plan.plan is not None
        start, enough = plan.plan, dual - goal
        return improve(users, rows, core, start, enough=enough, whole=False, times=times)

    near = nearest(loss, users.key, NEAR)
    for turn in range(TURNS):
        lost = dual - best.value
        if lost <= goal or waited > PATIENCE:
            break
        index = _drawn(near[loss[near] <= lost], turn)
        found = attempt(best, core_of(best, index), times=QUICK)
        waited = 0 if found.value - best.value > LITTLE * lost else waited + 1
        best = better_of(best, found, complete=False)
    lost = dual - best.value
    most = MOST if lost > COARSE * abs(dual) else NEAR
    index = nearest(loss, users.key, most)
    if lost <= goal or (len(index) == most and loss[index].max() < lost + margin):
        return best
    core = core_of(best, index[loss[index] <= lost + margin])
    if len(core.user) > PAIRS:
        return best
    return better_of(best, attempt(best, core, times=CAREFUL), complete=True)


def _drawn(near: IntArray, turn: int) -> IntArray:
    """Return some users, others in each turn; they stay in the order of their keys."""
    some = np.random.default_rng(turn).permutation(len(near))[:SOME]
    return near[np.sort(some)]
