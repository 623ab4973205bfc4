"""One draw of a world: learn, plan, hand out, settle; for every strategy and budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from incentive_engine.allocation import build_problem
from incentive_engine.config.policy import Policy
from incentive_engine.config.scenario import Scenario, Strategy, World
from incentive_engine.data.tables.frames import rows_matching
from incentive_engine.domain import COST, FACE, BoolArray, FloatArray
from incentive_engine.errors import ConfigError, Fault, nearest
from incentive_engine.language import say
from incentive_engine.simulation.figures import FIGURES, PreparedDraw, figures_of
from incentive_engine.simulation.market.chances import CommonRandomNumbers, DrawSeeds
from incentive_engine.simulation.market.settlement import (
    PotentialOutcomes,
    absent,
    expected,
    lapsing,
    realised,
)
from incentive_engine.simulation.market.traffic import arrivals
from incentive_engine.simulation.market.world import People, drifted, spiked
from incentive_engine.simulation.shared_draws import BlockCache, SweepVariant
from incentive_engine.simulation.strategy.learning import truth_scores
from incentive_engine.simulation.strategy.planning import Planner
from incentive_engine.simulation.strategy.strategies import PLANS, Situation, standing
from incentive_engine.simulation.strategy.waves import Course, Schedule, run, schedule


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawResult:
    """What one draw of one variant showed.

    Attributes
    ----------
    figures : (strategies, budgets, figures) float64
        In the order of the scenario and of `FIGURES`.
    courses
        (strategy, budget) to the course of the campaign, where there is a calendar; without
        choices.
    """

    figures: FloatArray
    courses: dict[tuple[int, int], Course]


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
    stage = _stage(variant, draw, memory)
    scenario = variant.scenario
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
    return DrawResult(figures=figures, courses=courses)


def _trials(scenario: Scenario) -> int:
    world = scenario.world or World()
    return scenario.draws if world.trials is None else min(world.trials, scenario.draws)


def _stage(variant: SweepVariant, draw: int, memory: BlockCache) -> PreparedDraw:
    scenario, policy = variant.scenario, variant.policy
    seeds = DrawSeeds.of(seed=scenario.seed, draw=draw, trials=_trials(scenario))
    ground = memory.ground(variant, seeds)
    users = ground.people.users
    chances = CommonRandomNumbers.draw(users.n_users, seeds.outcomes)
    eagerness = ground.people.liveliness + chances.eagerness
    times = _times(scenario, eagerness, chances)
    happens, would, expects = _outcomes(variant, ground.people, chances, times)
    same = times is None and not (scenario.world or World()).campaign.redemption_spread
    truth = ground.truth if same and ground.truth else truth_scores(users, policy, expects)
    if same:
        ground.truth = truth
    planner = replace(
        ground.planner, truth=truth, truth_plans=ground.planner.truth_plans if same else {}
    )
    order = times.arrivals.order if times else np.argsort(-eagerness, kind="stable")
    features = users.features
    return PreparedDraw(
        scenario=scenario,
        policy=policy,
        learned=ground.learned,
        rehearsal=ground.rehearsal,
        situation=situation_of(
            planner,
            order=order,
            likely=ground.likely,
            rank=rank_of(scenario, features),
        ),
        happens=happens,
        would=would,
        expects=expects,
        true_problem=build_problem(
            planner.policy_for(favouring=True).without_exploring(), truth, planner.blocked
        ),
        favoured=favoured_of(scenario, features),
        times=times,
        decided=int((~planner.blocked).sum()),
        stated=ground.stated,
    )


def rank_of(scenario: Scenario, features: pd.DataFrame) -> FloatArray:
    """Return recency, frequency and spend as one rank, where the scenario has tier rules.

    Raises
    ------
    ConfigError
        With every column that the users lack.
    """
    if "tier-rules" not in scenario.strategies:
        return np.zeros(len(features))
    named = [("recency", scenario.recency), ("spend", scenario.spend)]
    named += [("frequency", scenario.frequency)] if scenario.frequency else []
    _check_columns(scenario, features, [((key,), column) for key, column in named])
    return standing(features, (scenario.recency, scenario.frequency, scenario.spend))


def favoured_of(scenario: Scenario, features: pd.DataFrame) -> BoolArray:
    """Return who belongs to the favoured group, (n,) bool.

    Raises
    ------
    ConfigError
        With every column that the users lack.
    """
    named = [(("favoured", column), column) for column in scenario.favoured]
    _check_columns(scenario, features, named)
    return rows_matching(features, scenario.favoured) & bool(scenario.favoured)


def _check_columns(
    scenario: Scenario,
    features: pd.DataFrame,
    named: Sequence[tuple[tuple[str | int, ...], str]],
) -> None:
    faults = [
        Fault(
            scenario.locate(loc),
            say("the users have no column `{column}`", column=column),
            remedy=nearest(column, map(str, features.columns)),
        )
        for loc, column in named
        if column not in features
    ]
    if faults:
        raise ConfigError(*faults)


def situation_of(
    planner: Planner, *, order: np.ndarray, likely: FloatArray, rank: FloatArray
) -> Situation:
    """Return the situation before anything has been handed out; its budget is the policy's.

    Parameters
    ----------
    planner
        Knows policy, forecast and who is held out.
    order, likely, rank
        See `Situation`; `rank` is its `standing`.
    """
    policy, forecast = planner.policy, planner.forecast
    rules = planner.policy_for(favouring=True).without_exploring()
    problem = build_problem(rules, forecast, planner.blocked)
    allowed = (problem.value > -np.inf).T
    by_face = policy.budget is not None and policy.budget.basis == FACE

    def table(measure: str) -> FloatArray:
        columns = [forecast.measure(measure, offer) for offer in forecast.offers]
        return np.where(allowed, np.column_stack(columns), 0.0)

    return Situation(
        budget=policy.budget.amount if policy.budget else 0.0,
        allowed=allowed,
        gain=table("conversion"),
        charge=table(FACE if by_face else COST),
        by_face=by_face,
        face=np.array(forecast.faces, dtype=np.float64),
        likely=likely,
        standing=rank,
        order=order,
        planner=planner,
    )


def situation_with(situation: Situation, policy: Policy, budget: float) -> Situation:
    """Return the situation with another budget."""
    planner = replace(situation.planner, policy=policy.with_budget(amount=budget))
    return replace(situation, budget=budget, planner=planner)


def check_budgets(scenario: Scenario, situation: Situation, *, share: float = 1.0) -> None:
    """Refuse budgets that are larger than all offers together, or smaller than any.

    Parameters
    ----------
    scenario, situation
        The budgets, and what offers are forecast to cost.
    share
        The part of the scenario's users that the situation has.

    Raises
    ------
    ConfigError
        With each such budget.
    """
    charge = np.where(situation.allowed, situation.charge, 0.0)
    most = float(charge.max(axis=1).sum()) / share
    least = float(np.min(charge, where=situation.allowed, initial=np.inf))
    faults = []
    for index, budget in enumerate(scenario.budgets):
        where = scenario.locate(("budgets", index))
        if budget > most:
            what = say(
                "no strategy can spend {budget:,.0f}: the dearest offer for everybody comes to "
                "{most:,.0f}",
                budget=budget,
                most=most,
            )
            faults.append(Fault(where, what, remedy="lower the budget"))
        elif budget < least:
            what = say(
                "no strategy can spend {budget:g}: the cheapest offer comes to {least:g}",
                budget=budget,
                least=least,
            )
            faults.append(Fault(where, what, remedy="raise the budget"))
    if faults:
        raise ConfigError(*faults)


def _times(
    scenario: Scenario, eagerness: FloatArray, chances: CommonRandomNumbers
) -> Schedule | None:
    if scenario.calendar is None:
        return None
    return schedule(arrivals(eagerness, scenario.calendar), scenario.calendar, chances.delay)


def _outcomes(
    variant: SweepVariant, people: People, chances: CommonRandomNumbers, times: Schedule | None
) -> tuple[PotentialOutcomes, PotentialOutcomes, PotentialOutcomes]:
    """Return what happens, what would happen if no offer lapsed, and the expectation."""
    scenario, offers = variant.scenario, variant.policy.offers
    campaign = (scenario.world or World()).campaign
    spike = np.ones(people.users.n_users, dtype=np.bool_)
    if times is not None and scenario.calendar is not None and campaign.spike_wave is not None:
        waves = [wave.name for wave in scenario.calendar.waves]
        spike = times.arrivals.wave == waves.index(campaign.spike_wave)
    truth = drifted(people.reaction, campaign, chances.forecast_error)
    truth = spiked(truth, factor=campaign.spike, where=spike)
    would, expects = realised(truth, offers, chances), expected(truth, offers)
    if times is None:
        return would, would, expects
    away = times.arrivals.wave < 0
    would = absent(would, away)
    expects = absent(lapsing(expects, times.lapse_chance), away)
    return lapsing(would, times.lapses), would, expects


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
