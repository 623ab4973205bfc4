"""What a problem's own plan costs by the trial, and the correction that this asks for."""

from __future__ import annotations

from dataclasses import replace

from incentive_engine.allocation import Allocation, Problem, solve
from incentive_engine.config import Policy
from incentive_engine.domain import MICROS
from incentive_engine.fleet import SharedWork
from incentive_engine.insight.value.cost_correction import CostCorrection, cost_correction
from incentive_engine.insight.value.gain import ValuedTrial, gain_of_plan, trial_problem


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
    plan = solve(_expected(policy, problem), shared=shared)
    gain = gain_of_plan(valued, trial_problem(valued, policy), policy, plan, users=users)
    return cost_correction(gain.cost, float(plan.cost_micros.sum()) / MICROS), plan


def at_risk(policy: Policy) -> bool:
    """Return whether a budget must hold with a chance, and not on average."""
    return policy.budget is not None and policy.budget.basis == "at-risk"


def _expected(policy: Policy, problem: Problem) -> Problem:
    """Return the problem with a budget at risk as one of expected cost.

    A run states the error that a budget at risk allows for; its repetition, which starts from
    that, must come by the same correction.
    """
    if problem.pool is None or not at_risk(policy):
        return problem
    return replace(problem, pool=replace(problem.pool, basis="expected"))
