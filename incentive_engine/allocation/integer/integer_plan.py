"""The integer plan: everyone at the prices, and the users nearest a tie by an integer program."""

from __future__ import annotations

import numpy as np

from incentive_engine.allocation.dual.lagrangian import Optimum
from incentive_engine.allocation.integer.core_search import Incumbent
from incentive_engine.allocation.integer.draft import CandidatePlan
from incentive_engine.allocation.integer.improvement import (
    Search,
    better,
    exchange_in_turns,
    improve_in_turns,
)
from incentive_engine.allocation.integer.rounding import fill, round_prices
from incentive_engine.allocation.params import PLAN, SolveParams
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.population.population import Population
from incentive_engine.allocation.population.sweep import precision
from incentive_engine.allocation.solver_report import Status


def make_plan(
    users: Population,
    rows: LimitRows,
    optimum: Optimum,
    *,
    params: SolveParams = PLAN,
    start: CandidatePlan | None = None,
) -> Incumbent:
    """Return a plan that keeps every limit, as good as the stages make it.

    1. Everyone chooses at the prices; tied users are filled in. Where bounds meet, a few users
       change so that it hits them.
    2. Few users: one program of everybody. Else a program of those nearest a tie, exchanges, and
       while there is no plan, programs of ever more users and offers.
    3. Turns of exchanges and of small programs, and a last one, make it better.

    Parameters
    ----------
    start
        A plan that keeps every limit; None begins at the prices.
    """
    search = _search(users, rows, optimum, params, start)
    best = Incumbent()
    if not rows.excess(search.base.table).any():
        best = Incumbent(plan=search.base, value=search.base.table.value, status=Status.FEASIBLE)
    if not search.is_open(best):
        return best
    is_fitted = False
    if best.plan is None:
        best = search.fit(search.base, search.nearest(params.largest_program_users))
        is_fitted = best.plan is not None
    if users.n <= params.whole_users:
        return _program_of_everybody(search, best, is_fitted=is_fitted)
    if is_fitted:  # no program of a few users finds another plan that hits bounds that meet
        return exchange_in_turns(search, best)
    best = _first_plan(search, best)
    if best.plan is None or best.status is Status.OPTIMAL:
        return best
    return improve_in_turns(search, best)


def _search(
    users: Population,
    rows: LimitRows,
    optimum: Optimum,
    params: SolveParams,
    start: CandidatePlan | None,
) -> Search:
    """Return the state of a search: what it starts from, and at which gaps it ends."""
    rounded = round_prices(users, rows, optimum, most=_most(params))
    dual, prices, whole = optimum.point.dual, optimum.point.prices, users.n <= params.whole_users
    base = start or rounded.draft
    if start is None and not whole:
        # alike users tie by the thousand, and a program of a few sees only some of them
        base = fill(users, rows, base, prices, tied=rounded.tied, spared=params.tied_users)
    treated = max(optimum.treated, 1.0)
    goal = max(params.plan_gap, params.offer_share / treated) * abs(dual)
    return Search(
        users=users,
        rows=rows,
        optimum=optimum,
        base=base,
        near=rounded.near,
        # a program of everybody may as well prove its plan
        goal=0.0 if whole and params.plan_gap <= PLAN.plan_gap else goal,
        fair=max(params.plan_gap, params.program_share / treated) * abs(dual),
        margin=precision(users.units, users.kind, rows.prices_of_pairs(prices, users.shape)),
        params=params,
    )


def _most(params: SolveParams) -> int:
    """Return how many users nearest a tie a search may ask for."""
    near = params.last_growth * params.near_users
    return max(params.whole_users, params.largest_program_users, params.exchange_users, near)


def _program_of_everybody(search: Search, best: Incumbent, *, is_fitted: bool) -> Incumbent:
    """Return the best plan that a program of all users comes to; it is given time for a proof.

    Parameters
    ----------
    is_fitted
        Bounds meet, so that a proof is rarely found.
    """
    start, near = best.plan or search.base, search.nearest(search.users.n)
    core = search.core(start, near, allowance=search.lost(best) * (1.0 + 1e-9))
    # small programs take longest for their size, but still end; those of so many pairs do not
    small, most = 750, 3.0
    times = search.params.proof_effort * min(max(small / max(len(core.user), 1), 1.0), most)
    goal = search.fair if search.goal else 0.0
    if best.plan is None or is_fitted:
        # where no plan is found soon, one that is repaired is found sooner than by looking on
        times /= 10
    other = search.program(start, core, goal=goal, times=times, whole=True)
    if best.plan is None and other.status is Status.FEASIBLE:
        return _program_of_everybody(search, other, is_fitted=False)
    return better(best, other, complete=True)


def _first_plan(search: Search, best: Incumbent) -> Incumbent:
    """Return a plan of the users nearest a tie, of more of them while there is none.

    The first program is small and quick, and exchanges between more users follow it.
    """
    params, size, widening = search.params, search.params.first_program_users, 1.0
    goal = search.fair if search.goal else 0.0
    # how much more than before the pairs of the next program may lose
    wider = 16.0
    while True:
        first, lost = size == params.first_program_users, search.lost(best)
        start, near = best.plan or search.base, search.nearest(size)
        furthest = float(np.max(near.distance, initial=0.0))
        widest = max(2.0 * furthest * widening, search.fair)
        core = search.core(start, near, allowance=min(widest, lost * (1.0 + 1e-9)))
        # nobody outside the program, and no pair left out of it, can be part of a better plan
        complete = best.plan is not None and furthest >= lost + search.margin and widest >= lost
        other = search.program(start, core, goal=goal, times=params.quick_effort if first else 1.0)
        best = better(best, other, complete=complete)
        if first and not complete and search.is_open(best):
            other = search.exchange(
                best.plan or search.base, search.nearest(params.exchange_users)
            )
            best = better(best, other, complete=False)
        largest = min(params.largest_program_users, search.users.n)
        if complete or best.plan is not None or size >= largest:
            return best
        size, widening = min(4 * size, largest), wider * widening
