"""One draw of a world: learn, plan, hand out, settle; for every strategy and budget."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from incentive_engine.allocation import build_problem
from incentive_engine.config.scenario import Scenario, Strategy, World
from incentive_engine.config.schema import Policy
from incentive_engine.data.conditions import matches
from incentive_engine.data.holdout import draw_holdout
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import COST, FACE, BoolArray, FloatArray
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.simulation.chances import DrawSeeds
from incentive_engine.simulation.figures import FIGURES, Stage, figures_of
from incentive_engine.simulation.learning import Learned, truth_scores
from incentive_engine.simulation.planning import Planner
from incentive_engine.simulation.settlement import (
    Outcomes,
    absent,
    expected,
    lapsing,
    realised,
)
from incentive_engine.simulation.strategies import PLANS, Situation, standing
from incentive_engine.simulation.traffic import arrivals
from incentive_engine.simulation.waves import Course, Schedule, run, schedule
from incentive_engine.simulation.world import People, draw_people, draw_trial, spiked


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Variant:
    """A scenario and its policy, with one value of the sweep."""

    scenario: Scenario
    policy: Policy
    value: str | int | float | bool | None = None
    """None is the scenario as it was written."""


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


@dataclass(slots=True)
class Memory:
    """What the variants of one draw share, so that it is made once."""

    learned: dict[str, Learned] = field(default_factory=dict)

    def learn(self, world: World, policy: Policy, seeds: DrawSeeds) -> Learned:
        """Return what the draw's trial teaches."""
        settings = policy.model_dump_json(include={"offers", "eligibility", "limits", "seed"})
        key = f"{world.market} {world.trial_rows} {seeds.trial} {settings}"
        if key not in self.learned:
            trial = draw_trial(world, policy, seeds)
            self.learned[key] = Learned.of(trial, policy, seed=seeds.learning)
        return self.learned[key]


def run_draw(variants: tuple[Variant, ...], draw: int) -> tuple[DrawResult, ...]:
    """Replay the campaign once in every variant, with the same chances.

    Raises
    ------
    ConfigError
        When no strategy can spend a budget.
    InfeasibleError
        When the policy's limits cannot all hold for this draw's users.
    """
    memory = Memory()
    return tuple(_run(variant, draw, memory) for variant in variants)


def _run(variant: Variant, draw: int, memory: Memory) -> DrawResult:
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
                empty = np.empty(0, dtype=np.int16)
                courses[s, b] = Course(
                    choice=empty, waves=course.waves, dry_after=course.dry_after
                )
    return DrawResult(figures=figures, courses=courses)


def _stage(variant: Variant, draw: int, memory: Memory) -> Stage:
    scenario, policy = variant.scenario, variant.policy
    world = scenario.world or World()
    seeds = DrawSeeds.of(seed=scenario.seed, draw=draw, trials=world.trials)
    learned = memory.learn(world, policy, seeds)
    people = draw_people(world, policy, seeds)
    times = _times(scenario, people)
    happens, would, expects = _outcomes(scenario, policy, people, times)
    truth = truth_scores(people.users, policy, expects)
    forecast = learned.forecast(people.users, policy)
    holdout = holdout_of(policy, forecast.scores)
    order = times.arrivals.order if times else np.argsort(-people.eagerness, kind="stable")
    planner = Planner(
        policy=policy,
        forecast=forecast.scores,
        truth=truth,
        blocked=holdout,
        cost_error=float(np.hypot(learned.cost_error(), scenario.cost_error)),
    )
    features = people.users.features
    return Stage(
        scenario=scenario,
        policy=policy,
        learned=learned,
        rehearsal=learned.rehearsal(policy),
        situation=situation_of(
            planner,
            order=order,
            likely=forecast.likely,
            rank=standing(features, (scenario.recency, scenario.frequency, scenario.spend)),
        ),
        happens=happens,
        would=would,
        expects=expects,
        true_problem=build_problem(policy, truth, holdout),
        favoured=matches(features, scenario.favoured) & bool(scenario.favoured),
        times=times,
        decided=int((~holdout).sum()),
    )


def holdout_of(policy: Policy, scores: ScoreTable) -> BoolArray:
    """Return who never gets an offer, (n,) bool."""
    strata = scores.attributes[list(policy.holdout_strata)]
    return draw_holdout(scores.user_id, strata, share=policy.holdout or 0.0, seed=policy.seed)


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
    problem = build_problem(policy, forecast, planner.blocked)
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


def check_budgets(scenario: Scenario, situation: Situation) -> None:
    """Refuse budgets that are larger than all offers together, or smaller than any.

    Raises
    ------
    ConfigError
        With each such budget.
    """
    charge = np.where(situation.allowed, situation.charge, 0.0)
    most = float(charge.max(axis=1).sum())
    least = float(np.min(charge, where=situation.allowed, initial=np.inf))
    faults = []
    for index, budget in enumerate(scenario.budgets):
        where = scenario.locate(("budgets", index))
        if budget > most:
            what = f"no strategy can spend {budget:,.0f}: the dearest offer for everybody comes to"
            faults.append(Fault(where, f"{what} {most:,.0f}", remedy="lower the budget"))
        elif budget < least:
            what = f"no strategy can spend {budget:g}: the cheapest offer comes to {least:g}"
            faults.append(Fault(where, what, remedy="raise the budget"))
    if faults:
        raise ConfigError(*faults)


def _times(scenario: Scenario, people: People) -> Schedule | None:
    if scenario.calendar is None:
        return None
    arrived = arrivals(people.eagerness, scenario.calendar)
    return schedule(arrived, scenario.calendar, people.chances.delay)


def _outcomes(
    scenario: Scenario, policy: Policy, people: People, times: Schedule | None
) -> tuple[Outcomes, Outcomes, Outcomes]:
    """Return what happens, what would happen if no offer lapsed, and the expectation."""
    campaign = (scenario.world or World()).campaign
    n = people.users.n_users
    waves = [wave.name for wave in scenario.calendar.waves] if scenario.calendar else []
    spike = np.ones(n, dtype=np.bool_)
    if times is not None and campaign.spike_wave is not None:
        spike = times.arrivals.wave == waves.index(campaign.spike_wave)
    truth = spiked(people.truth, factor=campaign.spike, where=spike)
    would, expects = realised(truth, policy.offers, people.chances), expected(truth, policy.offers)
    if times is None:
        return would, would, expects
    away = times.arrivals.wave < 0
    would = absent(would, away)
    expects = absent(lapsing(expects, times.lapse_chance), away)
    return lapsing(would, times.lapses), would, expects


def _course(stage: Stage, strategy: Strategy, situation: Situation) -> Course:
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
