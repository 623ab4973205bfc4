"""One draw of a world, a campaign or a series of them, for every strategy and budget.

In a campaign everybody learns, plans, hands out and settles. In a series every way plans, the
market moves on, and some ways learn.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from incentive_engine.config.scenario import EXPLORING, LEARNING, Scenario, Strategy, World
from incentive_engine.domain import ChoiceArray, FloatArray
from incentive_engine.simulation.figures import FIGURES, LEARNED, Course, DrawResult
from incentive_engine.simulation.market.chances import DrawSeeds
from incentive_engine.simulation.market.settlement import PlanIncrement
from incentive_engine.simulation.market.world import MarketDrift, People, draw_people
from incentive_engine.simulation.prepared_draw import PreparedDraw, figures_of, prepared_draw
from incentive_engine.simulation.shared_draws import BlockCache, ground_on
from incentive_engine.simulation.situations import check_budgets, situation_with
from incentive_engine.simulation.strategy.learning import LearnedTrial
from incentive_engine.simulation.strategy.learning_on import Learner, explorers_of, without_lots
from incentive_engine.simulation.strategy.planning import Situation
from incentive_engine.simulation.strategy.strategies import plan_of
from incentive_engine.simulation.strategy.waves import run
from incentive_engine.simulation.variants import SweepVariant

Learners = dict[tuple[int, int], Learner]
"""(strategy, budget) to what it learned: with another budget it met other explorers."""


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
        return DrawResult(figures=_run_series(variant, seeds, memory), courses={})
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
    plan = plan_of(strategy)
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


def _run_series(variant: SweepVariant, seeds: DrawSeeds, memory: BlockCache) -> FloatArray:
    """Replay a series once; the same people and chances meet every strategy and budget.

    Returns
    -------
    (campaigns, strategies, budgets, figures) float64, `FIGURES` and then `LEARNED`.

    Raises
    ------
    ConfigError
        When no strategy can spend a budget.
    InfeasibleError
        When the policy's limits cannot all hold for the users of a campaign.
    """
    scenario, policy, series = variant.scenario, variant.policy, variant.scenario.series
    assert series is not None
    world = scenario.world or World()
    once = memory.learned(world, policy, seeds)
    drift = MarketDrift.draw(series, offers=len(policy.offers), seed=seeds.drift)
    learners = _learners(scenario, once, seed=seeds.learning)
    shape = (len(scenario.strategies), len(scenario.budgets), len(FIGURES) + len(LEARNED))
    figures = np.full((series.campaigns, *shape), np.nan)
    for campaign in range(series.campaigns):
        mine = seeds.in_campaign(campaign)
        people = drift.moved(_named(draw_people(world, policy, mine), campaign), campaign)
        own = policy.model_copy(update={"seed": policy.seed + campaign})
        here = replace(variant, policy=own)
        is_last = campaign == series.campaigns - 1
        figures[campaign] = _campaign(here, people, mine, once, learners, learn=not is_last)
    return figures


def _learners(scenario: Scenario, once: LearnedTrial, *, seed: int) -> Learners:
    return {
        (s, b): Learner(by_lot=strategy == EXPLORING, seed=seed, learned=once)
        for s, strategy in enumerate(scenario.strategies)
        for b in range(len(scenario.budgets))
        if strategy in LEARNING
    }


def _named(people: People, campaign: int) -> People:
    """Return people with ids of their own campaign."""
    users = people.users
    name = f"c{campaign + 1:03}-" + users.user_id.astype(str)
    return replace(people, users=replace(users, user_id=name))


def _campaign(
    variant: SweepVariant,
    people: People,
    seeds: DrawSeeds,
    once: LearnedTrial,
    learners: Learners,
    *,
    learn: bool,
) -> FloatArray:
    """Return the figures of one campaign; learners go on by it where `learn` says so."""
    scenario = variant.scenario
    calm = replace(variant, policy=variant.policy.without_exploring())
    stage = _stage(calm, people, seeds, once)
    check_budgets(scenario, stage.situation)
    shape = (len(scenario.strategies), len(scenario.budgets), len(FIGURES) + len(LEARNED))
    figures = np.full(shape, np.nan)
    for b, budget in enumerate(scenario.budgets):
        for s, strategy in enumerate(scenario.strategies):
            learner, own = learners.get((s, b)), stage
            if learner is not None:
                rules = variant if learner.by_lot else calm
                own = _stage(rules, people, seeds, learner.learned)
            situation = situation_with(own.situation, own.policy, budget)
            choice = plan_of(strategy)(situation)
            course = Course(choice=choice, waves=(), dry_after=np.nan)
            found = figures_of(own, course, situation, strategy)
            figures[s, b] = [*found, *_learned(own, situation, choice, learner)]
            if learner is not None and learn:
                explore = variant.policy.explore or 0.0
                planner = situation.planner
                learner.learn(people.users, planner, choice, own.happens, explore=explore)
    return figures


def _stage(
    variant: SweepVariant, people: People, seeds: DrawSeeds, learned: LearnedTrial
) -> PreparedDraw:
    forecast = learned.forecast(people.users, variant.policy)
    return prepared_draw(
        variant, ground_on(learned, people, forecast, variant.policy), seeds.outcomes
    )


def _learned(
    stage: PreparedDraw, situation: Situation, choice: ChoiceArray, learner: Learner | None
) -> tuple[float, float, float]:
    """Return what `LEARNED` names."""
    rows = float(stage.learned.trial.n_rows)
    if learner is None or not learner.by_lot:
        return 0.0, 0.0, rows
    calm = without_lots(situation.planner).plan(situation.budget, favouring=True)
    least, most = (PlanIncrement.of(given, stage.expects).conversions for given in (choice, calm))
    return float(len(explorers_of(situation.planner))), most - least, rows
