"""Everything of one draw that does not depend on strategy and budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from incentive_engine.allocation import build_problem
from incentive_engine.config.scenario import Scenario, World
from incentive_engine.domain import FloatArray
from incentive_engine.simulation.figures import PreparedDraw
from incentive_engine.simulation.market.chances import CommonRandomNumbers
from incentive_engine.simulation.market.settlement import (
    PotentialOutcomes,
    absent,
    expected,
    lapsing,
    realised,
)
from incentive_engine.simulation.market.traffic import arrivals
from incentive_engine.simulation.market.world import People, drifted, spiked
from incentive_engine.simulation.shared_draws import Ground, SweepVariant
from incentive_engine.simulation.situations import favoured_of, rank_of, situation_of
from incentive_engine.simulation.strategy.learning import truth_scores
from incentive_engine.simulation.strategy.waves import Schedule, schedule


def stage_of(
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
