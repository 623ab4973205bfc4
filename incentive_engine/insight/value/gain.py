"""What a plan earns and costs, by a randomised trial instead of by the scores that chose it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.rule import rehearse
from incentive_engine.allocation.problem import Problem
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable, read_scores
from incentive_engine.data.sources import open_source, read_table
from incentive_engine.domain import CONVERSION, COST, MICROS, SPEND
from incentive_engine.insight.value.plan_gain import PlanGain, ValuedTrial
from incentive_engine.pipeline.trials import baseline_file, baseline_of
from incentive_engine.uplift.doubly_robust.valuation import Valuation

if TYPE_CHECKING:
    from incentive_engine.data.trials.trial import Trial
    from incentive_engine.uplift.estimates import OutOfFold


def read_valuation(file: Path, policy: Policy) -> ValuedTrial:
    """Read what `campaign.value_into` wrote."""
    table = read_scores(open_source(file), policy)
    names = Valuation.columns(table.offers)
    return ValuedTrial(
        table=table,
        valuation=Valuation.from_table(read_table(file, names), table.offers),
        baseline=json.loads(baseline_file(file).read_text(encoding="utf-8")),
    )


def value_trial(trial: Trial, out_of_fold: OutOfFold, policy: Policy) -> ValuedTrial:
    """Return the rows of a trial that a model in memory learned from, to try plans on.

    Parameters
    ----------
    out_of_fold
        What the model says of these rows.
    policy
        Of the plans; its offers are among the trial's.
    """
    from incentive_engine.uplift.doubly_robust.plan_value import valued  # pandas comes with it
    from incentive_engine.uplift.trial_design import within_reach

    scores = within_reach(out_of_fold.score_frame(trial.user_id, trial.features, policy), trial)
    return ValuedTrial(
        table=ScoreTable.from_frame(scores, policy, where="trial"),
        valuation=valued(trial, out_of_fold),
        baseline=baseline_of(trial),
    )


def trial_problem(valued: ValuedTrial, policy: Policy) -> Problem:
    """Return what the policy states about the trial's rows, none held out or by lot."""
    nobody_held_out = np.zeros(valued.table.n_users, dtype=np.bool_)
    return build_problem(policy.without_exploring(), valued.table, nobody_held_out)


def gain_of_plan(
    valued: ValuedTrial, problem: Problem, policy: Policy, plan: Allocation, *, users: int
) -> PlanGain:
    """Return the gain of the plan's rule by the trial that the model learnt from.

    Parameters
    ----------
    problem
        `trial_problem`.
    users
        How many users the plan's prices decide on: all but the holdout and those who explore.
    """
    cost = float(plan.cost_micros.sum()) / MICROS
    return gain_of_rule(valued, problem, policy, plan.prices, cost=cost, users=users)


def gain_of_rule(
    valued: ValuedTrial,
    problem: Problem,
    policy: Policy,
    prices: Mapping[str, float],
    *,
    cost: float,
    users: int,
) -> PlanGain:
    """Return the gain of deciding at some prices, by the trial.

    Parameters
    ----------
    problem
        `trial_problem`.
    prices
        Limit to price.
    cost
        What the plan costs in all, currency units.
    users
        How many users the plan decides on: all but the holdout.
    """
    choice = rehearse(
        problem,
        prices,
        fold=valued.valuation.fold,
        cost=cost / max(users, 1),
        rng=np.random.default_rng(policy.seed),
    )
    value = valued.valuation.of_plan(choice)
    return PlanGain(
        conversions=value[CONVERSION].times(users),
        spend=value[SPEND].times(users),
        cost=value[COST].times(users),
        profit=valued.profit(choice, policy.margin, users=users),
        rows=valued.table.n_users,
        rule=choice,
        users=users,
        baseline=valued.baseline,
    )
