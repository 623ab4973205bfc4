"""What a planner asks about which users, and what the trial says of its costs.

There are three mandates: a fixed budget, a target return, a target return of the last money.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TypeVar

from incentive_engine.allocation.budgets.curve import Curve, largest_budget
from incentive_engine.allocation.budgets.other_budget import with_budget_of
from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem, Question
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable, holdout_of
from incentive_engine.domain import MICROS, SPEND, BoolArray
from incentive_engine.errors import ConfigError, Fault, InfeasibleError
from incentive_engine.fleet import SharedWork
from incentive_engine.insight.budget.chosen_pairs import measures_of
from incentive_engine.insight.budget.policy_options import BudgetOptions, budget_of
from incentive_engine.insight.budget.returns import Mandate
from incentive_engine.insight.value.cost_correction import CostCorrection, cost_correction
from incentive_engine.insight.value.gain import gain_of_plan, trial_problem
from incentive_engine.insight.value.plan_gain import ValuedTrial
from incentive_engine.language import say
from incentive_engine.pipeline.quality import ModelQuality, model_cost_error

Asked = TypeVar("Asked", bound=Question)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StatedProblem:
    """What a planner asks about which users.

    Attributes
    ----------
    policy
        With the budget that the mandate leaves.
    table
        With the costs that the correction leaves.
    holdout
        (n,) bool, who never gets an offer.
    """

    policy: Policy
    table: ScoreTable
    holdout: BoolArray
    problem: Problem
    mandate: Mandate
    correction: CostCorrection = field(default_factory=CostCorrection)

    @property
    def decided(self) -> int:
        """How many users the plan's prices decide on: all but the holdout and who explores."""
        return int((~self.holdout & ~self.problem.explores).sum())


def state_problem(
    policy: Policy,
    table: ScoreTable,
    *,
    options: BudgetOptions,
    quality: ModelQuality | None = None,
    correction: CostCorrection | None = None,
) -> StatedProblem:
    """Return the problem that is to be solved.

    Parameters
    ----------
    correction
        That the costs of the table have already; a budget at risk counts its error too.
    """
    mandate, correction = mandate_of(policy, options), correction or CostCorrection()
    if (error := model_cost_error(policy, quality, correction.error)) is not None:
        policy = policy.with_budget(cost_error=error)
    holdout = holdout_of(policy, table)
    policy, problem = under_mandate(policy, table, holdout, options)
    return StatedProblem(
        policy=policy, table=table, holdout=holdout, problem=problem, mandate=mandate,
        correction=correction,
    )  # fmt: skip


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
        policy = policy.with_budget(amount=curve.ample(problem))
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


def _at(problem: Problem, policy: Policy, amount: float) -> Problem | None:
    """Return the problem under another budget; None where bounds contradict each other there."""
    try:
        return with_budget_of(problem, policy.with_budget(amount=amount))
    except ConfigError:
        return None


def by_the_trial(
    stated: StatedProblem,
    policy: Policy,
    valued: ValuedTrial,
    *,
    options: BudgetOptions,
    quality: ModelQuality | None,
    shared: SharedWork | None = None,
) -> tuple[StatedProblem, Allocation | None]:
    """Return the problem with the costs that the trial says, and its plan where that stays.

    Parameters
    ----------
    policy
        As `state_problem` was given it.
    shared
        As of `solve`.
    """
    users = int((~stated.holdout).sum())
    correction, plan = trial_correction(
        stated.policy, stated.problem, valued, users=users, shared=shared
    )
    if correction.factor == 1 and not at_risk(policy):
        return replace(stated, correction=correction), plan
    corrected = state_problem(
        policy, stated.table.with_costs(correction.factor), options=options,
        quality=quality, correction=correction,
    )  # fmt: skip
    return corrected, None


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
