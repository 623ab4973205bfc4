"""One draw: all of it that does not depend on strategy and budget, and what these make of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.problem import Problem
from incentive_engine.config.policy import Policy
from incentive_engine.config.scenario import Scenario, Strategy, World
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import MICROS, BoolArray, FloatArray, to_micros
from incentive_engine.simulation.figures import FIGURES, Course
from incentive_engine.simulation.market.chances import CommonRandomNumbers
from incentive_engine.simulation.market.settlement import (
    PlanIncrement,
    PotentialOutcomes,
    absent,
    expected,
    lapsing,
    realised,
)
from incentive_engine.simulation.market.traffic import arrivals
from incentive_engine.simulation.market.world import People, drifted, spiked
from incentive_engine.simulation.shared_draws import Ground
from incentive_engine.simulation.situations import favoured_of, rank_of, situation_of
from incentive_engine.simulation.strategy.learning import LearnedTrial, truth_scores
from incentive_engine.simulation.strategy.planning import Situation
from incentive_engine.simulation.strategy.traits import TRAITS
from incentive_engine.simulation.strategy.waves import Schedule, schedule
from incentive_engine.simulation.variants import SweepVariant


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


def prepared_draw(
    variant: SweepVariant, ground: Ground, outcomes: np.random.SeedSequence
) -> PreparedDraw:
    """Return the stage of a draw.

    Parameters
    ----------
    variant
        Its policy is the one of this draw.
    ground
        Whom it meets and what is known; what the oracle knows is kept in it.
    outcomes
        What chances are drawn from.
    """
    scenario, policy = variant.scenario, variant.policy
    users = ground.people.users
    chances = CommonRandomNumbers.draw(users.n_users, outcomes)
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
    traits = TRAITS[strategy]
    if traits.states_gain:
        figures |= _stated(stage, situation, favouring=bool(traits.favours))
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
