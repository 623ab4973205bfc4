"""What the last money, surer budgets, and favouring members cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from incentive_engine.allocation import (
    Allocation,
    Curve,
    Problem,
    SafetyPoint,
    SolveParams,
    build_problem,
    price_of_safety,
    solve,
)
from incentive_engine.config import Policy
from incentive_engine.config.policy import Objective
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import SPEND, BoolArray
from incentive_engine.insight.budget.chosen_pairs import chosen_pairs, measures_of
from incentive_engine.insight.budget.mandate import with_ample_budget
from incentive_engine.insight.budget.policy_options import budget_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BudgetView:
    """What is known of the money around a plan.

    Attributes
    ----------
    marginal_return
        Incremental spend per unit of cost of the last money; None where it is not known.
    safety
        What surer budgets would bring, for a budget at risk.
    cost_error
        The relative standard error of the total cost that these count with.
    """

    marginal_return: float | None = None
    safety: tuple[SafetyPoint, ...] = ()
    cost_error: float = 0.0


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
    return float(np.sum(chosen_pairs(table, plan.choice, plan.cost_micros).conversion))
