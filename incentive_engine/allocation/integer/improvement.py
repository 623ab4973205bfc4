"""A better plan than a known one: exchanges between users near a tie, and integer programs.

A change of a user's choice loses some of the bound. No plan within the gap of a known one makes a
change that loses more than the gap, so the users who could lose less are all that matter.

References
----------
Pisinger and Ropke, "Large neighborhood search", in Handbook of Metaheuristics (2010).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.dual.prices import Optimum
from incentive_engine.allocation.integer.core import Core, build_core, nearest
from incentive_engine.allocation.integer.core_search import Found, exchanged, improve
from incentive_engine.allocation.integer.cp_sat import Status
from incentive_engine.allocation.integer.draft import Draft
from incentive_engine.allocation.limit_maps import Rows
from incentive_engine.allocation.users import Users
from incentive_engine.domain import IntArray

NEAR: Final = 1_000
"""Users nearest a tie, of whom each turn has some."""

TRADERS: Final = 400
"""Users among whom exchanges are looked for."""

MEMBERS: Final = 150
"""Users in each of the small programs that take turns."""

TURNS: Final = 30
"""How many turns there are at most, of exchanges and of programs each."""

PATIENCE: Final = 2
"""How many of them in a row may bring little."""

LITTLE: Final = 0.03
"""The part of the gap that is little."""

SHORT: Final = 1 / 3
"""Which part of the usual effort goes to a turn of exchanges."""

QUICK: Final = 1 / 30
"""Which part of the usual effort goes to a small program: a single node."""

CAREFUL: Final = 10.0
"""How many times the usual effort goes to a program that betters a plan."""

COARSE: Final = 5e-5
"""The relative gap above which the last program may have more users than `NEAR`: takes seconds."""

MOST: Final = 3_000
"""How many these are at most."""

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Search:
    """What a plan is looked for with.

    Attributes
    ----------
    optimum
        The prices.
    loss
        (n,), what each user's next best choice loses of the bound.
    goal
        The gap at which the search ends, in the value's units.
    fair
        The gap at which integer programs end: a smaller one is not worth their time.
    margin
        By how much losses may err.
    """

    users: Users
    rows: Rows
    optimum: Optimum
    loss: npt.NDArray[Any]
    goal: float
    fair: float
    margin: float

    @property
    def dual(self) -> float:
        """No plan is worth more."""
        return self.optimum.point.dual

    def nearest(self, size: int) -> IntArray:
        """Return the users nearest a tie."""
        return nearest(self.loss, self.users.key, size)

    def trade(self, start: Draft, index: IntArray, *, times: float = 1.0, seed: int = 0) -> Found:
        """Return a plan that exchanges between some users lead to.

        Parameters
        ----------
        start
            The choices to start from, which may break limits.
        times
            How many times the usual effort may be spent.
        seed
            Of the changes that are made at random.
        """
        users, rows, prices = self.users, self.rows, self.optimum.point.prices
        core = build_core(users, rows, index, prices=prices, kept=start.choice[index])
        most, enough = self.dual, self.dual - self.goal
        return exchanged(
            users,
            rows,
            core,
            start,
            prices=prices,
            bound=most,
            enough=enough,
            times=times,
            seed=seed,
        )

    def core_of(self, best: Found, index: IntArray) -> Core:
        """Return some users with the pairs that may be part of a better plan."""
        assert best.plan is not None
        return build_core(
            self.users,
            self.rows,
            index,
            prices=self.optimum.point.prices,
            most_pairs=self.users.k,
            allowance=(self.dual - best.value) * (1.0 + 1e-9),
            kept=best.plan.choice[index],
        )

    def program(self, best: Found, core: Core, *, goal: float, times: float) -> Found:
        """Return the best plan that an integer program of a core finds.

        Parameters
        ----------
        goal
            The gap at which it ends.
        times
            How many times the usual effort may be spent.
        """
        assert best.plan is not None
        enough = self.dual - goal
        return improve(
            self.users, self.rows, core, best.plan, enough=enough, whole=False, times=times
        )


def bettered(search: Search, best: Found) -> Found:
    """Return a better plan than a known one, or that one.

    Exchanges take turns, and small programs after them, each with some of the users nearest a
    tie: they do in a second what one program with all of these does in twenty. At last one
    program has everyone who matters, where these are few: it may prove that there is no better
    plan.
    """

    def trade(plan: Found, index: IntArray, turn: int) -> Found:
        assert plan.plan is not None
        return search.trade(plan.plan, index, times=SHORT, seed=turn + 1)

    def program(plan: Found, index: IntArray, _: int) -> Found:
        return search.program(plan, search.core_of(plan, index), goal=search.fair, times=QUICK)

    best = _in_turns(search, best, trade, size=TRADERS, goal=search.goal)
    best = _in_turns(search, best, program, size=MEMBERS, goal=search.fair)
    lost = search.dual - best.value
    most = MOST if lost > COARSE * abs(search.dual) else NEAR
    index = search.nearest(most)
    losses = search.loss[index]
    if lost <= search.fair or (len(index) == most and losses.max() < lost + search.margin):
        return best
    core = search.core_of(best, index[losses <= lost + search.margin])
    if len(core.user) > PAIRS:
        return best
    found = search.program(best, core, goal=search.goal, times=CAREFUL)
    return better_of(best, found, complete=True)


def _in_turns(
    search: Search,
    best: Found,
    attempt: Callable[[Found, IntArray, int], Found],
    *,
    size: int,
    goal: float,
) -> Found:
    """Return what attempts with some of the users near a tie each make of a plan.

    Parameters
    ----------
    size
        How many users each has.
    goal
        The gap at which they end.
    """
    near, waited = search.nearest(NEAR), 0
    for turn in range(TURNS):
        lost = search.dual - best.value
        if lost <= goal or waited > PATIENCE:
            break
        index = _drawn(near[search.loss[near] <= lost], turn, size)
        found = attempt(best, index, turn)
        waited = 0 if found.value - best.value > LITTLE * lost else waited + 1
        best = better_of(best, found, complete=False)
    return best


def _drawn(near: IntArray, turn: int, size: int) -> IntArray:
    """Return some users, others in each turn; they stay in the order of their keys."""
    some = np.random.default_rng(turn).permutation(len(near))[:size]
    return near[np.sort(some)]
