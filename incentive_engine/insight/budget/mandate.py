"""What the money is asked to return, and what the last of it, and surer budgets, bring.

There are three mandates: a fixed budget, a target return, a target return of the last money.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from incentive_engine.allocation.budgets.curve import Curve
from incentive_engine.allocation.budgets.mandate import largest_budget
from incentive_engine.allocation.budgets.other_budget import with_budget_of
from incentive_engine.allocation.budgets.safety import price_of_safety
from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.params import SolveParams
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.allocation.risk import SafetyPoint
from incentive_engine.config import Policy
from incentive_engine.config.policy import Objective
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import CONVERSION, COST, SPEND, BoolArray
from incentive_engine.errors import ConfigError, Fault, InfeasibleError
from incentive_engine.insight.budget.chosen_pairs import measures_of, of_choice
from incentive_engine.insight.budget.policy_options import BudgetOptions, budget_of
from incentive_engine.insight.budget.returns import BudgetView, Mandate
from incentive_engine.language import say


def mandate_of(policy: Policy, options: BudgetOptions) -> Mandate:
    """Return what a policy and the command line ask of the money."""
    return Mandate(
        min_roi=options.min_roi,
        min_marginal_roi=options.min_marginal_roi,
        cap=policy.budget.amount if policy.budget else None,
    )


def under_mandate(
    policy: Policy, table: ScoreTable, holdout: BoolArray, options: BudgetOptions
) -> tuple[Policy, Problem]:
    """Return the policy and its problem, with the budget that the mandate leaves.

    Without a target for the last money, nothing changes.

    Raises
    ------
    ConfigError
        When the scores have no incremental spend to measure a return by.
    InfeasibleError
        When no budget's last money returns what is asked.
    """
    problem = build_problem(policy, table, holdout)
    at_least = options.min_marginal_roi
    if at_least is None:
        return policy, problem
    if not table.has(SPEND):
        raise ConfigError(
            Fault(
                "--min-marginal-roi",
                "the scores have no incremental spend",
                "columns spend__OFFER",
            )
        )
    curve = Curve(problem, measures_of(table))
    if policy.budget is None:
        policy = with_ample_budget(policy, curve, problem)
        problem = build_problem(policy, table, holdout)
    cap = budget_of(policy).amount
    search = largest_budget(
        curve, lambda amount: _at(problem, policy, amount), cap=cap, at_least=at_least
    )
    if search.point is None:
        best = search.best
        what = say("no budget up to {cap:,.10g} returns that with its last money", cap=cap)
        remedy = say("ask for less")
        if best is not None and best.marginal_return is not None:
            most, amount = best.marginal_return, best.budget
            remedy = say("the best is {most:.4g} at {amount:,.2f}", most=most, amount=amount)
        raise InfeasibleError(Fault(f"--min-marginal-roi {at_least:g}", what, remedy=remedy))
    # rounded down to cents: the next cent would return less than is asked
    amount = min(math.floor(search.point.budget * 100) / 100 or search.point.budget, cap)
    policy = policy.with_budget(amount=amount)
    return policy, with_budget_of(problem, policy)


def with_ample_budget(policy: Policy, curve: Curve, problem: Problem) -> Policy:
    """Return a policy without a budget with one that changes nothing: what its plan costs."""
    plan = curve.plan(problem)
    cost = plan.amounts(curve.users, {}).get(COST, 0.0)
    return policy.with_budget(amount=float(np.ceil(cost)))


def _at(problem: Problem, policy: Policy, amount: float) -> Problem | None:
    """Return the problem under another budget; None where bounds contradict each other there."""
    try:
        return with_budget_of(problem, policy.with_budget(amount=amount))
    except ConfigError:
        return None


def budget_view(
    policy: Policy,
    problem: Problem,
    table: ScoreTable,
    holdout: BoolArray,
    *,
    plan: Allocation,
    cost_error: float,
) -> BudgetView:
    """Return what is known of the money around a plan.

    Without a budget, what the plan costs stands in its place; where that is zero, there is
    nothing to see.

    Parameters
    ----------
    problem
        The policy's.
    plan
        Its plan.
    cost_error
        The relative standard error of the total cost.
    """
    at_risk = policy.budget is not None and policy.budget.basis == "at-risk"
    if not table.has(SPEND) and not at_risk:
        return BudgetView(cost_error=cost_error)
    curve, split = Curve(problem, measures_of(table)), plan.split
    if policy.budget is None:
        policy = with_ample_budget(policy, curve, problem)
        problem = build_problem(policy, table, holdout)
        # how far, relatively, an ample budget moves the prices of a plan without one
        same = 0.01
        split = curve.plan(problem, plan.prices, radius=same)
    budget = budget_of(policy)
    if budget.amount == 0 or problem.pool is None:
        return BudgetView()
    own = curve.point(split) if table.has(SPEND) else None
    safe: tuple[SafetyPoint, ...] = ()
    if budget.basis == "at-risk":
        pool = replace(problem.pool, cost_error=cost_error)
        safe = price_of_safety(curve, replace(problem, pool=pool))
    marginal = None if own is None else own.marginal_return
    return BudgetView(marginal_return=marginal, safety=safe, cost_error=cost_error)


def conversions_without_favour(
    policy: Policy, table: ScoreTable, holdout: BoolArray
) -> float | None:
    """Return the conversions of the plan that weighs every user alike, by the scores.

    None where the policy weighs them alike already.
    """
    if not policy.objective.weight:
        return None
    even = Objective(maximise=policy.objective.maximise)
    problem = build_problem(policy.model_copy(update={"objective": even}), table, holdout)
    # a plan within this gap is good enough to be compared with another
    plan = solve(problem, params=SolveParams(plan_gap=1e-3, proof_effort=1.0))
    return float(np.sum(of_choice(table, CONVERSION, plan.choice)))
