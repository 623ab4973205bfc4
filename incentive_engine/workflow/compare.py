"""What favouring members costs."""

from __future__ import annotations

from typing import Final

import numpy as np

from incentive_engine.allocation import build_problem, solve
from incentive_engine.config import Policy
from incentive_engine.config.schema import Objective
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import BoolArray
from incentive_engine.workflow.chosen import chosen_pairs

COMPARABLE: Final = 1e-3
"""The relative gap at which a plan is good enough to be compared with another."""


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
