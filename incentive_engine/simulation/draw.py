"""One draw of a world: learn, plan, hand out, settle; for every strategy and budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from incentive_engine.config.scenario import Scenario, Strategy, World
from incentive_engine.simulation.figures import FIGURES, Course, DrawResult
from incentive_engine.simulation.market.chances import DrawSeeds
from incentive_engine.simulation.prepared_draw import PreparedDraw, figures_of, prepared_draw
from incentive_engine.simulation.series import run_series
from incentive_engine.simulation.shared_draws import BlockCache
from incentive_engine.simulation.situations import check_budgets, situation_with
from incentive_engine.simulation.strategy.strategies import PLANS, Situation
from incentive_engine.simulation.strategy.waves import run
from incentive_engine.simulation.variants import SweepVariant


def blocks_of(scenario: Scenario) -> tuple[tuple[int, ...], ...]:
    """Return the draws that share a trial and its users, block by block."""
    trials = _trials(scenario)
    return tuple(tuple(range(first, scenario.draws, trials)) for first in range(trials))


def run_block(variants: tuple[SweepVariant, ...], block: int) -> dict[int, tuple[DrawResult, ...]]:
    """Replay the draws of one block in every variant; draw to one result per variant.

    Raises
    ------
    ConfigError
        When no strategy can spend a budget.
    InfeasibleError
        When the policy's limits cannot all hold for these users.
    """
    memory = BlockCache()
    return {
        draw: tuple(run_draw(variant, draw, memory) for variant in variants)
        for draw in blocks_of(variants[0].scenario)[block]
    }


def run_draw(variant: SweepVariant, draw: int, memory: BlockCache) -> DrawResult:
    """Replay the campaign once; the same chances meet every strategy and budget."""
    scenario = variant.scenario
    seeds = DrawSeeds.of(seed=scenario.seed, draw=draw, trials=_trials(scenario))
    if scenario.series is not None:
        return DrawResult(figures=run_series(variant, seeds, memory), courses={})
    stage = prepared_draw(variant, memory.ground(variant, seeds), seeds.outcomes)
    check_budgets(scenario, stage.situation)
    figures = np.full((len(scenario.strategies), len(scenario.budgets), len(FIGURES)), np.nan)
    courses = {}
    for b, budget in enumerate(scenario.budgets):
        situation = situation_with(stage.situation, stage.policy, budget)
        for s, strategy in enumerate(scenario.strategies):
            course = _course(stage, strategy, situation)
            figures[s, b] = figures_of(stage, course, situation, strategy)
            if scenario.calendar is not None:
                courses[s, b] = replace(course, choice=course.choice[:0])
    return DrawResult(figures=figures[None], courses=courses)


def _trials(scenario: Scenario) -> int:
    world = scenario.world or World()
    return scenario.draws if world.trials is None else min(world.trials, scenario.draws)


def _course(stage: PreparedDraw, strategy: Strategy, situation: Situation) -> Course:
    plan = PLANS[strategy]
    if stage.scenario.calendar is None or stage.times is None:
        return Course(choice=plan(situation), waves=(), dry_after=np.nan)
    return run(
        plan,
        situation,
        calendar=stage.scenario.calendar,
        times=stage.times,
        outcomes=stage.happens,
        would=stage.would,
    )
