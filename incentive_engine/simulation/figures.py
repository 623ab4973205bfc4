"""What a draw says about each strategy and budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from incentive_engine.allocation import Problem
from incentive_engine.config.policy import Policy
from incentive_engine.config.scenario import Scenario, Strategy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import MICROS, BoolArray, FloatArray, to_micros
from incentive_engine.simulation.market.settlement import PlanIncrement, PotentialOutcomes
from incentive_engine.simulation.strategy.learning import LearnedTrial
from incentive_engine.simulation.strategy.strategies import Situation
from incentive_engine.simulation.strategy.waves import Course, Schedule

FIGURES: Final = (
    "conversions", "spend", "cost",                 # what happened, against giving nobody anything
    "true_conversions", "true_spend", "true_cost",  # its expectation
    "value",                                        # of the true effects, in the policy's aim
    "treated", "planned", "face",
    "favoured_treated", "favoured_cost", "favoured_conversions",
    "stated", "stated_low", "stated_high",          # conversions that the engine promises
    "dry_after",
)  # fmt: skip
"""What a draw says about each strategy and budget; not a number where it does not apply."""
LEARNED: Final = (
    "explorers",  # users who got an arm by lot
    "exploring_cost",  # true conversions more if the same forecasts had decided on all
    "trial_rows",  # rows that the plan was learned from
)
"""What a draw says beyond these about each campaign of a series."""
ENGINES: Final[dict[Strategy, bool]] = {
    "engine": True,
    "engine-unweighted": False,
    "engine-learning": True,
    "engine-naive": True,
}
"""Strategies that state their gain, and whether they favour members."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedDraw:
    """Everything of one draw that does not depend on strategy and budget."""

    scenario: Scenario
    policy: Policy
    learned: LearnedTrial
    rehearsal: ScoreTable
    situation: Situation
    happens: PotentialOutcomes
    would: PotentialOutcomes
    expects: PotentialOutcomes
    true_problem: Problem
    favoured: BoolArray
    times: Schedule | None
    decided: int
    """Users outside the holdout."""
    stated: dict[tuple[float, bool], tuple[float, float, float]]
    """Gains per user that plans state, found so far."""


def figures_of(
    stage: PreparedDraw, course: Course, situation: Situation, strategy: Strategy
) -> FloatArray:
    """Return one number per name in `FIGURES`."""
    choice = course.choice
    favoured = np.where(stage.favoured, choice, np.int16(-1))
    happened, meant = (
        PlanIncrement.of(choice, stage.happens),
        PlanIncrement.of(choice, stage.expects),
    )
    theirs = PlanIncrement.of(favoured, stage.happens)
    rows = np.flatnonzero(choice >= 0)
    planned = to_micros(situation.charge[rows, choice[rows]]).sum() / MICROS
    has_group = bool(stage.scenario.favoured)
    figures = dict.fromkeys(FIGURES, np.nan) | {
        "conversions": happened.conversions,
        "spend": happened.spend,
        "cost": happened.cost,
        "true_conversions": meant.conversions,
        "true_spend": meant.spend,
        "true_cost": meant.cost,
        "value": float(stage.true_problem.value[choice[rows], rows].sum()),
        "treated": len(rows),
        "planned": float(planned),
        "face": float(situation.face[choice[rows]].sum()),
        "dry_after": course.dry_after,
    }
    if has_group:
        figures |= {
            "favoured_treated": int((favoured >= 0).sum()),
            "favoured_cost": theirs.cost,
            "favoured_conversions": theirs.conversions,
        }
    if strategy in ENGINES:
        figures |= _stated(stage, situation, favouring=ENGINES[strategy])
    return np.array([figures[name] for name in FIGURES], dtype=np.float64)


def _stated(stage: PreparedDraw, situation: Situation, *, favouring: bool) -> dict[str, float]:
    """Return the gain that the engine states with its first plan."""
    planner, key = situation.planner, (situation.budget, favouring)
    if key not in stage.stated:
        plan = planner.solved(situation.budget, favouring=favouring)
        policy = planner.policy_for(favouring=favouring)
        cost = float(plan.cost_micros.sum()) / MICROS / max(stage.decided, 1)
        value = stage.learned.stated(policy, stage.rehearsal, plan.prices, cost=cost)
        gain = value.conversion
        stage.stated[key] = (gain.value, gain.low, gain.high)
    found = (value * stage.decided for value in stage.stated[key])
    return dict(zip(("stated", "stated_low", "stated_high"), found, strict=True))
