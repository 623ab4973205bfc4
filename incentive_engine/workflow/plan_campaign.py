"""From a policy and scores to a plan and all that is known of it, without a file."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from incentive_engine.allocation.budgets.limit_cost import gains_without
from incentive_engine.allocation.budgets.smallest_budget import smallest_budgets
from incentive_engine.allocation.decisions.freezing import freeze_policy
from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.plan import freeze_prices, solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.trials.holdout import held_shares
from incentive_engine.insight.budget.policy_options import BudgetOptions
from incentive_engine.insight.budget.response import (
    Keep,
    budget_response,
    solve_anew,
    with_own_budget,
)
from incentive_engine.insight.budget.returns import BudgetView
from incentive_engine.insight.budget.view import budget_view, conversions_without_favour
from incentive_engine.insight.findings import PlanFindings
from incentive_engine.insight.plan_rows import plan_rows
from incentive_engine.insight.stated_problem import StatedProblem, by_the_trial, state_problem
from incentive_engine.insight.value.baselines import SimplerWay, beside_the_plan, simpler_ways
from incentive_engine.insight.value.cost_correction import CostCorrection
from incentive_engine.insight.value.gain import (
    gain_of_plan,
    trial_problem,
)
from incentive_engine.insight.value.plan_gain import PlanGain, ValuedTrial
from incentive_engine.insight.value.randomised import exploring_value, holdout_value
from incentive_engine.parallel import side_threads
from incentive_engine.pipeline.quality import ModelQuality, total_error
from incentive_engine.pipeline.steps import Steps
from incentive_engine.report.evidence import Alternative, Exploring, Holdout, Response
from incentive_engine.run.directory import AllocationTable

Shown = TypeVar("Shown")

Tried = tuple[ValuedTrial, Problem]
"""A valued trial, and the problem that the policy states about its rows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelEvidence:
    """What is known beside the scores.

    Attributes
    ----------
    valued
        Gives the trial that values any plan; None where scores are given.
    quality
        What is known of the model behind the scores; None where scores are given.
    keep
        Keeps what other budgets bring for the next plan of the same campaign.
    """

    valued: Callable[[], ValuedTrial] | None = None
    quality: ModelQuality | None = None
    keep: Keep = solve_anew


def plan_campaign(
    policy: Policy,
    table: ScoreTable,
    *,
    options: BudgetOptions,
    evidence: ModelEvidence,
    steps: Steps,
    brief: bool = False,
) -> PlanFindings:
    """Return the plan of a campaign and all that is known of it.

    Parameters
    ----------
    policy
        With what the options change in it.
    brief
        Leave out what only a page shows: other budgets, costs of limits, comparisons.

    Raises
    ------
    ConfigError
        When a limit cannot be stated.
    InfeasibleError
        When no plan meets all limits.
    """
    with steps.step("state the problem"):
        stated = state_problem(policy, table, options=options, quality=evidence.quality)
    plan = None
    if evidence.valued is not None:
        with steps.step("ask the trial for the cost"):
            stated, plan = by_the_trial(
                stated, policy, evidence.valued(), options=options, quality=evidence.quality,
                shared=steps.shared,
            )  # fmt: skip
    return explore(stated, plan=plan, evidence=evidence, steps=steps, brief=brief)


def explore(
    stated: StatedProblem,
    *,
    plan: Allocation | None = None,
    evidence: ModelEvidence,
    steps: Steps,
    brief: bool = False,
) -> PlanFindings:
    """Return a plan with all that is known of it.

    What is looked at beside the plan runs beside its solver, so that solvers and readers let each
    other work.

    Parameters
    ----------
    plan
        Of the problem; None solves it.
    brief
        As for `plan_campaign`.
    """
    with side_threads() as side:
        with steps.step("solve", 1.0) as advance:
            studies = _studies(
                side,
                stated,
                evidence,
                solved=lambda: plan or solve(stated.problem, advance=advance, shared=steps.shared),
                brief=brief,
            )
            made = studies.plan.result()
        with steps.step("value and compare", len(studies.beside)) as advance:
            for future in studies.beside:
                future.add_done_callback(lambda _: advance(1))
            return _findings(stated, made, studies, quality=evidence.quality)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Studies:
    """The plan and what is looked at beside it, each as soon as it is known."""

    plan: Future[Allocation]
    frozen: Future[FrozenPolicy]
    gain: Future[PlanGain | None]
    view: Future[BudgetView]
    response: Future[Response | None]
    unfavoured: Future[float | None]
    dropped: Future[dict[str, float]]
    held: Future[Holdout | None]
    exploring: Future[Exploring | None]
    ways: Future[tuple[Alternative, ...]]

    @property
    def beside(self) -> tuple[Future[Any], ...]:
        """All that is waited for once the plan is there."""
        return tuple(getattr(self, field.name) for field in fields(self) if field.name != "plan")


def _studies(
    side: ThreadPoolExecutor,
    stated: StatedProblem,
    evidence: ModelEvidence,
    *,
    solved: Callable[[], Allocation],
    brief: bool,
) -> _Studies:
    """Begin all studies; each is a thread of its own and waits for those above that it names."""
    policy, table, holdout = stated.policy, stated.table, stated.holdout
    problem = stated.problem

    def shown(make: Callable[[], Shown], otherwise: Shown) -> Future[Shown]:
        return side.submit((lambda: otherwise) if brief else make)

    plan = side.submit(solved)
    tried = side.submit(lambda: _tried(evidence, policy, stated.correction))
    frozen = side.submit(lambda: freeze_policy(policy, table, holdout))
    gain = side.submit(lambda: _gain(tried, plan, policy, users=stated.decided))
    view = side.submit(
        lambda: budget_view(
            policy, problem, table, holdout, plan=plan.result(),
            cost_error=total_error(policy, evidence.quality),
        )
    )  # fmt: skip
    response = shown(lambda: budget_response(policy, problem, table, keep=evidence.keep), None)
    unfavoured = shown(lambda: conversions_without_favour(policy, table, holdout), None)
    simpler = shown(
        lambda: simpler_ways(policy, table, problem, tried=tried.result()),
        tuple[SimplerWay, ...](),
    )
    dropped = shown(lambda: gains_without(problem, plan.result()), dict[str, float]())
    holdout_study = shown(
        lambda: holdout_value(policy, table, holdout, plan.result(), gain.result()), None
    )
    exploring = shown(
        lambda: exploring_value(
            policy, table, problem, holdout, plan=plan.result(), gain=gain.result()
        ),
        None,
    )
    ways = shown(
        lambda: beside_the_plan(
            simpler.result(), policy, table, plan=plan.result().choice,
            gain=gain.result(), tried=tried.result(),
        ),
        tuple[Alternative, ...](),
    )  # fmt: skip
    return _Studies(
        plan=plan, frozen=frozen, gain=gain, view=view, response=response, unfavoured=unfavoured,
        dropped=dropped, held=holdout_study, exploring=exploring, ways=ways,
    )  # fmt: skip


def _findings(
    stated: StatedProblem, made: Allocation, studies: _Studies, *, quality: ModelQuality | None
) -> PlanFindings:
    """Return the plan with all that its studies have shown, once they are through."""
    policy, table = stated.policy, stated.table
    frozen, response = studies.frozen.result(), studies.response.result()
    return PlanFindings(
        policy=policy,
        table=table,
        holdout=stated.holdout,
        plan=made,
        rows=allocation_rows(stated, made),
        explores=stated.problem.explores,
        frozen=frozen,
        prices=freeze_prices(stated.problem, made, frozen),
        gain=studies.gain.result(),
        response=with_own_budget(response, made, stated.problem, policy, table),
        correction=stated.correction,
        mandate=stated.mandate,
        view=studies.view.result(),
        unfavoured=studies.unfavoured.result(),
        quality=quality,
        ways=studies.ways.result(),
        dropped=studies.dropped.result(),
        held=studies.held.result(),
        exploring=studies.exploring.result(),
    )


def allocation_rows(stated: StatedProblem, plan: Allocation) -> AllocationTable:
    """Return what a plan says of each user, as the run directory holds it."""
    table, problem = stated.table, stated.problem
    strata = table.attributes.select(stated.policy.holdout_strata)
    return plan_rows(
        problem,
        table,
        choice=plan.choice,
        cost_micros=plan.cost_micros,
        prices=plan.prices,
        held=held_shares(strata, stated.holdout),
        smallest_budget=smallest_budgets(problem),
    )


def _tried(evidence: ModelEvidence, policy: Policy, correction: CostCorrection) -> Tried | None:
    if evidence.valued is None:
        return None
    valued = evidence.valued().with_costs(correction.factor)
    return valued, trial_problem(valued, policy)


def _gain(
    tried: Future[Tried | None], solved: Future[Allocation], policy: Policy, *, users: int
) -> PlanGain | None:
    """Return the plan's gain by the trial; None where there is none."""
    valued_problem = tried.result()
    if valued_problem is None:
        return None
    valued, problem = valued_problem
    return gain_of_plan(valued, problem, policy, solved.result(), users=users)
