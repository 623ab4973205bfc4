"""What other budgets would bring, and what favouring members costs."""

from __future__ import annotations

from typing import Final

import numpy as np

from incentive_engine.allocation import CurvePoint, Problem, build_problem, response_curve, solve
from incentive_engine.config import Policy
from incentive_engine.config.schema import Objective
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import BoolArray
from incentive_engine.workflow.chosen import chosen_pairs
from incentive_engine.workflow.policies import budget_of

MULTIPLES: Final = (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)
"""Budgets of the curve, as multiples of the plan's own."""


def budget_curve(problem: Problem, policy: Policy) -> tuple[CurvePoint, ...]:
    """Return the response to budgets around the plan's own; nothing for a budget of zero."""
    amount = budget_of(policy).amount
    return response_curve(problem, [amount * m for m in MULTIPLES]) if amount > 0 else ()


def conversions_without_favour(
    policy: Policy, table: ScoreTable, holdout: BoolArray
) -> float | None:
    """Return the conversions of the plan that weighs every user alike, by the scores.

    None where the policy weighs them alike already.
    """
    if not policy.objective.weight:
        return None
    even = Objective(maximise=policy.objective.maximise)
    plan = solve(build_problem(policy.model_copy(update={"objective": even}), table, holdout))
    return float(np.sum(chosen_pairs(table, plan.choice, plan.cost_micros).conversion))
