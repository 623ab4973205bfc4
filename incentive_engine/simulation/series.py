"""Campaigns one after another: every way plans, the market moves on, and some ways learn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.special import expit, logit

from incentive_engine.config.scenario import EXPLORING, LEARNING, Scenario, World
from incentive_engine.config.schedule.campaign import CampaignSeries
from incentive_engine.domain import ChoiceArray, FloatArray
from incentive_engine.simulation.figures import FIGURES, LEARNED, Course
from incentive_engine.simulation.market.chances import DrawSeeds
from incentive_engine.simulation.market.settlement import PlanIncrement
from incentive_engine.simulation.market.world import MOST_LIKELY, People, draw_people
from incentive_engine.simulation.prepared_draw import PreparedDraw, figures_of, prepared_draw
from incentive_engine.simulation.shared_draws import BlockCache, ground_on
from incentive_engine.simulation.situations import check_budgets, situation_with
from incentive_engine.simulation.strategy.learning import LearnedTrial
from incentive_engine.simulation.strategy.learning_on import Learner, explorers_of, without_lots
from incentive_engine.simulation.strategy.strategies import PLANS, Situation
from incentive_engine.simulation.variants import SweepVariant

Learners = dict[tuple[int, int], Learner]
"""(strategy, budget) to what it learned: with another budget it met other explorers."""


def run_series(variant: SweepVariant, seeds: DrawSeeds, memory: BlockCache) -> FloatArray:
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
            choice = PLANS[strategy](situation)
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarketDrift:
    """How c campaigns differ from the market in which the trial was run.

    Attributes
    ----------
    level : (c, k) float64
        What each offer changes for everybody beyond that, probability.
    slope : (c, k, 3) float64
        The same for each standard deviation of a user's traits.
    season : (c,) float64
        Everybody's log odds beyond theirs.
    """

    level: FloatArray
    slope: FloatArray
    season: FloatArray

    @classmethod
    def draw(cls, series: CampaignSeries, *, offers: int, seed: np.random.SeedSequence) -> Self:
        """Draw the walks of k offers; the first campaign is one step away from the trial."""
        rng, campaigns = np.random.default_rng(seed), series.campaigns
        steps = rng.standard_normal((campaigns, offers, 4)) * series.drift
        walk = np.cumsum(steps, axis=0)
        return cls(
            level=walk[..., 0] / 2,
            slope=walk[..., 1:],
            season=series.seasons * rng.standard_normal(campaigns),
        )

    def moved(self, people: People, campaign: int) -> People:
        """Return people as they react in a campaign, counted from 0.

        Nobody is put off beyond a fifth of the own probability of converting without an offer.
        """
        truth = people.reaction
        before = truth.conversion[:, :1]
        base = expit(logit(before) + self.season[campaign])
        walked = self.level[campaign] + people.traits @ self.slope[campaign].T
        effect = truth.conversion[:, 1:] - before + walked
        conversion = np.clip(base + effect, 0.2 * base, MOST_LIKELY)
        moved = np.column_stack([base, conversion])
        return replace(people, reaction=replace(truth, conversion=moved))
