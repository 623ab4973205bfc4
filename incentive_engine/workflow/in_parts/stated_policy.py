"""What a policy asks of users in parts, with the costs that a trial bears out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from incentive_engine.allocation.build import Members, build_question
from incentive_engine.allocation.decisions.freezing import freeze_policy
from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy
from incentive_engine.allocation.plans.score_rows import ScoreRows, StateRows, cut_rows
from incentive_engine.allocation.plans.sharded_plan import ShardedPlan, solve_in_shards
from incentive_engine.allocation.problem import Question
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable, holdout_of
from incentive_engine.data.sources.source import Source
from incentive_engine.fleet import SharedWork
from incentive_engine.insight.stated_problem import at_risk, expected
from incentive_engine.insight.value.cost_correction import (
    CostCorrection,
    cost_correction,
)
from incentive_engine.insight.value.gain import gain_of_rule, trial_problem
from incentive_engine.insight.value.plan_gain import PlanGain, ValuedTrial
from incentive_engine.parallel import Advance, unheard
from incentive_engine.pipeline.quality import ModelQuality, model_cost_error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LearnedScores:
    """What is known beside scores that were learned; nothing of scores that were given.

    Attributes
    ----------
    valued
        The trial that values any plan.
    quality
        What is known of the model behind the scores.
    """

    valued: ValuedTrial | None = None
    quality: ModelQuality | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StatedPolicy:
    """A policy and what it means among the users of a plan.

    Attributes
    ----------
    policy
        With the error of costs that a budget at risk allows for.
    correction
        By which tasks correct the costs that they read.
    """

    policy: Policy
    question: Question
    members: Members
    frozen: FrozenPolicy
    state: StateRows
    correction: CostCorrection

    @classmethod
    def of(
        cls,
        policy: Policy,
        users: ScoreTable,
        scores: Source,
        quality: ModelQuality | None,
        correction: CostCorrection | None = None,
    ) -> StatedPolicy:
        """State a policy of users whose scores stand in a table."""
        correction = correction or CostCorrection()
        if (error := model_cost_error(policy, quality, correction.error)) is not None:
            policy = policy.with_budget(cost_error=error)
        holdout = holdout_of(policy, users)
        question, members = build_question(policy, users, holdout)
        return cls(
            policy=policy,
            question=question,
            members=members,
            frozen=freeze_policy(policy, users, holdout),
            state=StateRows(policy=policy, scores=scores.from_anywhere(), costs=correction.factor),
            correction=correction,
        )

    def items(self, shared: SharedWork) -> list[ScoreRows]:
        """Return the shards into which the users are cut."""
        return list(cut_rows(self.members, shared.number(len(self.members.holdout))))

    @property
    def decided(self) -> int:
        """How many users are not held out."""
        return int((~self.members.holdout).sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlannedPolicy:
    """A plan of a policy's users in shards, and what was asked."""

    stated: StatedPolicy
    plan: ShardedPlan[ScoreRows]

    def gain(self, known: LearnedScores, policy: Policy, *, users: int) -> PlanGain | None:
        """Return the plan's gain by the trial; None where there is none.

        Parameters
        ----------
        users
            How many the means are multiplied by.
        """
        if known.valued is None:
            return None
        valued = known.valued.with_costs(self.stated.correction.factor)
        return gain_of_rule(
            valued,
            trial_problem(valued, policy),
            policy,
            self.plan.prices,
            cost=self.plan.solved.certificate.budget.spent,
            users=users,
        )


@contextmanager
def planned(
    policy: Policy,
    users: ScoreTable,
    scores: Source,
    known: LearnedScores,
    shared: SharedWork,
    *,
    advance: Advance = unheard,
) -> Iterator[PlannedPolicy]:
    """Give the plan of users in shards, with the costs that the trial bears out.

    Raises
    ------
    InfeasibleError, DataError, SolverError
        As `solve`.
    """
    first = StatedPolicy.of(policy, users, scores, known.quality)
    with ExitStack() as shards:
        correction = CostCorrection()
        if known.valued is not None:
            question = expected(first.question)
            plan = shards.enter_context(_solved(first, question, shared))
            draft = PlannedPolicy(stated=first, plan=plan)
            gain = draft.gain(known, first.policy, users=first.decided)
            assert gain is not None
            correction = cost_correction(gain.cost, plan.solved.certificate.budget.spent)
            if correction.factor == 1 and not at_risk(policy):
                yield replace(draft, stated=replace(first, correction=correction))
                return
            shards.close()  # its shards have the costs of before
        stated = StatedPolicy.of(policy, users, scores, known.quality, correction)
        plan = shards.enter_context(_solved(stated, stated.question, shared, advance=advance))
        yield PlannedPolicy(stated=stated, plan=plan)


@contextmanager
def _solved(
    stated: StatedPolicy, question: Question, shared: SharedWork, *, advance: Advance = unheard
) -> Iterator[ShardedPlan[ScoreRows]]:
    users = len(stated.members.holdout)
    with solve_in_shards(
        question, stated.state, stated.items(shared), shared, users=users, advance=advance
    ) as plan:
        yield plan
