"""Decide: from a problem to a plan with its certificate."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np

from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy
from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.allocation.dual.lagrangian import Optimum
from incentive_engine.allocation.dual.prices import find_prices
from incentive_engine.allocation.infeasible.conflict import explain, relax, relax_whole
from incentive_engine.allocation.integer.core_search import Incumbent
from incentive_engine.allocation.integer.draft import CandidatePlan
from incentive_engine.allocation.integer.integer_plan import make_plan
from incentive_engine.allocation.integer.pruning import drop_useless
from incentive_engine.allocation.params import PLAN, SolveParams
from incentive_engine.allocation.plans.allocation import Allocation, Relaxed
from incentive_engine.allocation.plans.at_risk import plan_at_risk
from incentive_engine.allocation.plans.choosers import choices_at, offers_of
from incentive_engine.allocation.plans.per_user import check_forced
from incentive_engine.allocation.plans.solved import Solved, certify
from incentive_engine.allocation.population.explorer_usage import (
    open_rows,
    taken_by_lots,
    tally_explorers,
)
from incentive_engine.allocation.population.from_problem import users_of
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.population.population import Population, Users
from incentive_engine.allocation.population.shards.spread import in_shards
from incentive_engine.allocation.population.sweep import cost_micros
from incentive_engine.allocation.problem import Problem, Question
from incentive_engine.allocation.solver_report import PriceStatus, SolverReport
from incentive_engine.domain import to_micros
from incentive_engine.errors import Fault, InfeasibleError, SolverError
from incentive_engine.fleet import SharedWork
from incentive_engine.parallel import Advance, unheard


def solve(
    problem: Problem,
    *,
    params: SolveParams = PLAN,
    advance: Advance = unheard,
    shared: SharedWork | None = None,
) -> Allocation:
    """Return the plan of most value that keeps every limit.

    Parameters
    ----------
    params
        How hard to look for it.
    advance
        Is told the further share of the work that is done, 1 in all.
    shared
        Who goes through the users; None for this process. The plan is the same.

    Raises
    ------
    InfeasibleError
        When the limits cannot all hold; it names those in conflict and the cheapest way out.
    DataError
        When an eligible pair has numbers that are not valid.
    SolverError
        When no plan was found although nothing proves that there is none.
    """
    everyone = users_of(problem)
    check_forced(problem)
    with in_shards(everyone, shared) as users:
        solved = solve_population(problem, users, params=params, advance=advance)
        return _plan(problem, everyone, users, solved)


def solve_population(
    question: Question,
    users: Population,
    *,
    params: SolveParams = PLAN,
    advance: Advance = unheard,
) -> Solved:
    """Return the plan of most value that keeps every limit, wherever the users are.

    Arguments and errors are those of `solve`.
    """
    if question.pool is None or question.pool.basis != "at-risk":
        return _solved(question, users, params=params, advance=advance)
    # a proof for one bound on the expected cost proves little of a plan among several
    each = replace(params, proof_effort=params.proof_effort / params.risk_plans)
    solved = plan_at_risk(
        question,
        users,
        lambda bounded: _solved(bounded, users, params=each, advance=unheard),
        params,
    )
    advance(1.0)
    return solved


def _solved(
    question: Question, users: Population, *, params: SolveParams, advance: Advance
) -> Solved:
    rows = open_rows(question, users)
    if taken := taken_by_lots(rows):
        raise InfeasibleError(*taken)
    read = 0.1
    advance(read)
    optimum = find_prices(users, rows, params=params)
    # which share of the work it is to read every number, and to find the prices: what they took of
    # 10,000,000 users, and of 50,000
    priced = 0.4
    advance(priced)
    if _suspicious(optimum):
        relaxation = relax(users, rows, params)
        if relaxation.needed:
            raise explain(question, users, rows, relaxation, params)
    best = make_plan(users, rows, optimum, params=params)
    if best.plan is None:
        start = _repaired(question, users, rows, optimum, params)
        best = make_plan(users, rows, optimum, params=params, start=start)
    advance(1.0 - read - priced)
    assert best.plan is not None
    draft = drop_useless(users, rows, best.plan)
    certificate = certify(
        question,
        users,
        rows,
        optimum.point.prices,
        draft.table,
        solver=_solver_report(optimum, best),
    )
    if not certificate.feasible:
        raise SolverError(Fault("allocation", "the plan breaks a limit", "", "report this"))
    return Solved(rows=rows, optimum=optimum, draft=draft, certificate=certificate)


def _plan(problem: Problem, everyone: Users, users: Population, solved: Solved) -> Allocation:
    """Return a plan with what it gives to each of the users in memory."""
    given = solved.draft.everybody(users)
    choice, paid = offers_of(everyone, given), cost_micros(everyone, given)
    by_lot = None
    if (explorers := problem.explorers) is not None:
        by_lot = tally_explorers(everyone, explorers)
        choice, user = explorers.merged(choice), explorers.pairs[0]
        if everyone.cost >= 0:
            paid[user] = to_micros(explorers.amounts(problem.columns[everyone.cost]))
    rows, optimum = solved.rows, solved.optimum
    return Allocation(
        choice=choice,
        cost_micros=paid,
        prices=MappingProxyType(solved.prices),
        certificate=solved.certificate,
        split=Relaxed(problem=problem, rows=rows, optimum=optimum, by_lot=by_lot),
    )


def _solver_report(optimum: Optimum, best: Incumbent) -> SolverReport:
    # the relative gap at which prices count as optimal in the record
    exact_prices = 1e-9
    exact = optimum.gap <= exact_prices
    return SolverReport(
        prices=PriceStatus.OPTIMAL if exact else PriceStatus.FEASIBLE,
        price_gap=optimum.gap if np.isfinite(optimum.gap) else None,
        sweeps=optimum.sweeps,
        integer=best.status,
        integer_users=best.core,
        solver_bound=best.bound if np.isfinite(best.bound) else None,
    )


def freeze_prices(problem: Problem, plan: Allocation, frozen: FrozenPolicy) -> Prices:
    """Return the plan's prices as version 0, with how many users they do not decide on.

    At the prices some users are tied, and the integer stage settled who of them gets what, and
    who gets less than the prices alone would give, so that every limit holds in whole offers.
    """
    by_price = choices_at(problem, plan.prices)
    if problem.explorers is not None:  # no price decides on them
        by_price = problem.explorers.merged(by_price)
    settled = int(np.count_nonzero(by_price != plan.choice))
    return Prices(policy=frozen.digest, by_limit=dict(plan.prices), settled=settled)


def _suspicious(optimum: Optimum) -> bool:
    """Return whether the linear program breaks a limit at the steepest prices."""
    broken = optimum.step is not None and bool(np.any(optimum.step.broken != 0))
    return broken or optimum.impossible


def _repaired(
    question: Question,
    users: Population,
    rows: LimitRows,
    optimum: Optimum,
    params: SolveParams,
) -> CandidatePlan:
    """Return a plan that keeps the limits, whatever it is worth, or say why there is none."""
    for relaxation in (
        relax(users, rows, params),
        relax_whole(users, rows, optimum, params.relaxation),
    ):
        if relaxation.needed:
            raise explain(question, users, rows, relaxation, params)
        if relaxation.draft is not None:
            return relaxation.draft
    raise SolverError(
        Fault("allocation", "no plan was found within the effort allowed", remedy="relax a limit")
    )
