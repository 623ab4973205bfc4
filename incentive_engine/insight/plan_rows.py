"""What a plan says of each user, as the run directory holds it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from incentive_engine.allocation.plans.per_user import margins, propensities, reasons
from incentive_engine.allocation.problem import Problem
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import CONVERSION, SPEND, ChoiceArray, FloatArray, IntArray
from incentive_engine.insight.budget.chosen_pairs import of_choice
from incentive_engine.run.directory import AllocationTable


def plan_rows(
    problem: Problem,
    scores: ScoreTable,
    *,
    choice: ChoiceArray,
    cost_micros: IntArray,
    prices: Mapping[str, float],
    held: FloatArray,
    smallest_budget: FloatArray | None = None,
) -> AllocationTable:
    """Return what a plan says of each user of a problem.

    Parameters
    ----------
    choice
        (n,) int16, index of the offer, −1 for none; explorers have theirs.
    cost_micros
        (n,) int64, what the choice is expected to cost, millionths.
    prices
        Limit to price.
    held
        (n,) float64, which share of the user's stratum is held out.
    smallest_budget
        As of `AllocationTable`.
    """
    return AllocationTable(
        user_id=scores.user_id,
        offers=scores.offers,
        choice=choice,
        conversion=of_choice(scores, CONVERSION, choice),
        spend=of_choice(scores, SPEND, choice) if scores.has(SPEND) else None,
        cost_micros=cost_micros,
        weight=np.ones(scores.n_users) if problem.weight is None else problem.weight,
        reason=reasons(problem, choice),
        propensity=propensities(problem, held),
        margin=margins(problem, choice, prices),
        smallest_budget=smallest_budget,
    )
