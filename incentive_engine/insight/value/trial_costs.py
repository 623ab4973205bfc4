"""What a problem's own plan costs by the trial, and the correction that this asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from incentive_engine.allocation import Allocation, Problem, solve
from incentive_engine.allocation.problem import Question
from incentive_engine.config import Policy
from incentive_engine.domain import MICROS
from incentive_engine.fleet import SharedWork
from incentive_engine.insight.value.cost_correction import CostCorrection, cost_correction
from incentive_engine.insight.value.gain import ValuedTrial, gain_of_plan, trial_problem

Asked = TypeVar("Asked", bound=Question)


def trial_correction(
    policy: Policy,
    problem: Problem,
    valued: ValuedTrial,
    *,
    users: int,
    shared: SharedWork | None = None,
) -> tuple[CostCorrection, Allocation]:
    """Return how far the costs of the problem's plan are from what the trial says, and the plan.

    Parameters
    ----------
    users
        How many users the plan decides on: all but the holdout.
    shared
        As of `solve`.

    Raises
    ------
    InfeasibleError
        When no plan meets all limits.
    """
    plan = solve(expected(problem), shared=shared)
    gain = gain_of_plan(valued, trial_problem(valued, policy), policy, plan, users=users)
    return cost_correction(gain.cost, float(plan.cost_micros.sum()) / MICROS), plan


def at_risk(policy: Policy) -> bool:
    """Return whether a budget must hold with a chance, and not on average."""
    return policy.budget is not None and policy.budget.basis == "at-risk"


def expected(question: Asked) -> Asked:
    """Return the question with a budget at risk as one of expected cost.

    A run states the error that a budget at risk allows for; its repetition, which starts from
    that, must come by the same correction.
    """
    if question.pool is None or question.pool.basis != "at-risk":
        return question
    return replace(question, pool=replace(question.pool, basis="expected"))
