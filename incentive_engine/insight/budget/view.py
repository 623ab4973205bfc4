"""What is known of the money around a plan: the last of it, surer budgets, nobody favoured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from incentive_engine.allocation.budgets.curve import Curve
from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.params import SolveParams
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.allocation.risk import SafetyPoint
from incentive_engine.config.policy import Objective, Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import CONVERSION, SPEND, BoolArray
from incentive_engine.insight.budget.chosen_pairs import measures_of, of_choice
from incentive_engine.insight.budget.policy_options import budget_of
from incentive_engine.insight.budget.returns import BudgetView


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
        policy = policy.with_budget(amount=curve.ample(problem))
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
        safe = curve.safety(replace(problem, pool=pool))
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
