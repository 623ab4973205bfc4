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

import numpy as np

from incentive_engine.allocation.dual.core import Core, build_core
from incentive_engine.allocation.dual.lagrangian import Optimum
from incentive_engine.allocation.integer.core_search import (
    Incumbent,
    exchange_core,
    fit_core,
    solve_core,
)
from incentive_engine.allocation.integer.draft import CandidatePlan
from incentive_engine.allocation.params import SolveParams
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.population.population import Near, Population
from incentive_engine.allocation.solver_report import Status


def better(best: Incumbent, other: Incumbent, *, complete: bool) -> Incumbent:
    """Return the better of two plans, with what the later program proves.

    Parameters
    ----------
    other
        Of a later program.
    complete
        That program misses no plan that is better than `best`.
    """
    if other.value <= best.value and best.plan is not None:
        known = Status.FEASIBLE if other.status is Status.UNKNOWN else other.status
        other = replace(other, plan=best.plan, value=best.value, status=known)
    if complete:
        return other
    status = Status.UNKNOWN if other.plan is None else Status.FEASIBLE
    return replace(other, status=status, bound=np.inf)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Search:
    """What a plan is looked for with.

    Attributes
    ----------
    optimum
        The prices.
    base
        The choices that programs start from while there is no plan; they may break limits.
    near
        Those nearest a tie, with what their next best choice loses of the bound; no more of
        them are ever asked for.
    goal
        The gap at which the search ends, in the value's units.
    fair
        The gap at which integer programs end: a smaller one is not worth their time.
    margin
        By how much losses may err.
    """

    users: Population
    rows: LimitRows
    optimum: Optimum
    base: CandidatePlan
    near: Near
    goal: float
    fair: float
    margin: float
    params: SolveParams

    @property
    def dual(self) -> float:
        """No plan is worth more."""
        return self.optimum.point.dual

    def lost(self, best: Incumbent) -> float:
        """Return how far a plan is from the bound, inf where there is none."""
        return self.dual - best.value

    def is_open(self, best: Incumbent) -> bool:
        """Whether a plan is further from the bound than the goal."""
        return self.lost(best) > self.goal

    def nearest(self, size: int) -> Near:
        """Return the users nearest a tie."""
        return self.near.nearest(size)

    def exchange(
        self, start: CandidatePlan, near: Near, *, times: float = 1.0, seed: int = 0
    ) -> Incumbent:
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
        rows, prices = self.rows, self.optimum.point.prices
        return exchange_core(
            rows,
            self._free_core(start, near),
            start,
            prices=prices,
            bound=self.dual,
            enough=self.dual - self.goal,
            times=times,
            seed=seed,
        )

    def fit(self, start: CandidatePlan, near: Near) -> Incumbent:
        """Return a plan in which a few users are changed so that narrow bounds hold."""
        prices, core = self.optimum.point.prices, self._free_core(start, near)
        return fit_core(self.rows, core, start, prices=prices, most=self.params.fitted_changes)

    def _free_core(self, start: CandidatePlan, near: Near) -> Core:
        """Return some users with their best pairs, whatever these lose."""
        prices, current = self.optimum.point.prices, start.choices(near.users, near.index)
        return build_core(near.users, self.rows, near.index, prices=prices, kept=current)

    def core(self, start: CandidatePlan, near: Near, *, allowance: float) -> Core:
        """Return some users with the pairs that lose little enough to be part of a better plan.

        Parameters
        ----------
        allowance
            Pairs that lose more of the bound than this are left out, but for those of `start`.
        """
        return build_core(
            near.users,
            self.rows,
            near.index,
            prices=self.optimum.point.prices,
            most_pairs=self.users.k,
            allowance=allowance,
            kept=start.choices(near.users, near.index),
        )

    def core_for_better(self, best: Incumbent, near: Near) -> Core:
        """Return some users with the pairs that a plan better than `best` may have."""
        assert best.plan is not None
        return self.core(best.plan, near, allowance=self.lost(best) * (1.0 + 1e-9))

    def program(
        self, start: CandidatePlan, core: Core, *, goal: float, times: float, whole: bool = False
    ) -> Incumbent:
        """Return the best plan that an integer program of a core comes to.

        Parameters
        ----------
        goal
            The gap at which it ends; 0 for a proof.
        times
            How many times the usual effort may be spent.
        whole
            The core has all users who have a choice.
        """
        enough = self.dual - goal if goal else np.inf
        return solve_core(
            self.rows,
            core,
            start,
            enough=enough,
            whole=whole,
            times=times,
        )


def improve_in_turns(search: Search, best: Incumbent) -> Incumbent:
    """Return a better plan than a known one, or that one.

    Exchanges take turns, and small programs after them, each with some of the users nearest a
    tie: they do in a second what one program with all of these does in twenty. At last one
    program has everyone who matters, where these are few: it may prove that there is no better
    plan.
    """

    def program(plan: Incumbent, near: Near, _: int) -> Incumbent:
        assert plan.plan is not None
        core = search.core_for_better(plan, near)
        return search.program(plan.plan, core, goal=search.fair, times=search.params.quick_effort)

    best = exchange_in_turns(search, best)
    size = search.params.turn_users
    best = _in_turns(search, best, program, size=size, goal=search.fair)
    return _last_program(search, best)


def exchange_in_turns(search: Search, best: Incumbent) -> Incumbent:
    """Return a better plan than a known one, or that one, by exchanges alone."""
    # which part of the usual effort goes to a turn
    short = 1 / 3

    def exchange(plan: Incumbent, near: Near, turn: int) -> Incumbent:
        assert plan.plan is not None
        return search.exchange(plan.plan, near, times=short, seed=turn + 1)

    size = search.params.exchange_users
    return _in_turns(search, best, exchange, size=size, goal=search.goal)


def _last_program(search: Search, best: Incumbent) -> Incumbent:
    """Return what a program of everyone who matters makes of a plan, where these are few."""
    lost, most = search.lost(best), search.params.near_users
    # the relative gap that counts as wide
    coarse = 5e-5
    most = search.params.last_growth * most if lost > coarse * abs(search.dual) else most
    near = search.nearest(most)
    losses = near.distance
    if lost <= search.fair or (len(losses) == most and losses.max() < lost + search.margin):
        return best
    core = search.core_for_better(best, near.at(np.flatnonzero(losses <= lost + search.margin)))
    # pairs in the largest program that has everyone who matters: more take too long
    pairs = 6_000
    if len(core.user) > pairs or best.plan is None:
        return best
    # how many times the usual effort goes to a program that betters a plan
    careful = 10.0
    last = search.program(best.plan, core, goal=search.goal, times=careful)
    return better(best, last, complete=True)


def _in_turns(
    search: Search,
    best: Incumbent,
    attempt: Callable[[Incumbent, Near, int], Incumbent],
    *,
    size: int,
    goal: float,
) -> Incumbent:
    """Return what attempts with some of the users near a tie each make of a plan.

    Parameters
    ----------
    size
        How many users each has.
    goal
        The gap at which they end.
    """
    near, waited = search.nearest(search.params.near_users), 0
    # turns in a row that may bring little
    patience = 2
    # the part of the gap that is little
    little = 0.03
    for turn in range(search.params.turns):
        lost = search.lost(best)
        if lost <= goal or waited > patience:
            break
        other = attempt(
            best, _drawn(near.at(np.flatnonzero(near.distance <= lost)), turn, size), turn
        )
        # turns end when they bring little, not after a time, which would not be reproducible
        waited = 0 if other.value - best.value > little * lost else waited + 1
        best = better(best, other, complete=False)
    return best


def _drawn(near: Near, turn: int, size: int) -> Near:
    """Return some users, others in each turn; they stay in the order of their keys."""
    # the turn is the seed: the same problem has the same plan
    some = np.random.default_rng(turn).permutation(len(near.index))[:size]
    return near.at(np.sort(some))
