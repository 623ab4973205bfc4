"""What other budgets would bring, and what favouring members costs."""

from __future__ import annotations

from typing import Final

import numpy as np

from incentive_engine.allocation import CurvePoint, build_problem, response_curve, solve
from incentive_engine.config import Policy
from incentive_engine.config.schema import Objective
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import BoolArray
from incentive_engine.workflow.chosen import chosen_pairs
from incentive_engine.workflow.policies import budget_of

MULTIPLES: Final = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Budgets of the curve, as multiples of the plan's own."""

COMPARABLE: Final = 1e-3
"""The relative gap at which a plan is good enough to be compared with another."""


def budget_curve(policy: Policy, table: ScoreTable, holdout: BoolArray) -> tuple[CurvePoint, ...]:
    """Return the response to budgets around the plan's own; nothing for a budget of zero.

    Limits in percent of the budget move with it.
    """
    amount = budget_of(policy).amount
    if amount == 0:
        return ()
    policies = [policy.with_budget(amount=amount * multiple) for multiple in MULTIPLES]
    return response_curve([build_problem(each, table, holdout) for each in policies])


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
    plan = solve(problem, good_enough=COMPARABLE)
    return float(np.sum(chosen_pairs(table, plan.choice, plan.cost_micros).conversion))
