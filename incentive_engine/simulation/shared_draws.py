"""What draws share that meet the same users with the same trial behind them; made once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from incentive_engine.config.policy import Policy
from incentive_engine.config.scenario import Scenario, World
from incentive_engine.data.scores import ScoreTable, holdout_of
from incentive_engine.domain import FloatArray
from incentive_engine.simulation.market.chances import DrawSeeds
from incentive_engine.simulation.market.world import People, draw_people, draw_trial
from incentive_engine.simulation.strategy.learning import LearnedTrial, UserForecast
from incentive_engine.simulation.strategy.planning import Planner
from incentive_engine.simulation.variants import SweepVariant


@dataclass(slots=True, kw_only=True, eq=False)
class Ground:
    """Users, what has been learnt, and the plans that follow from it.

    Attributes
    ----------
    people, learned
        The users, and what the trial teaches.
    rehearsal
        The trial's rows, scored out of fold.
    likely : (n,) float64
        Forecast probability of converting.
    planner
        Does not know the truth; its plans are kept.
    truth
        What the oracle knows, where it is the same in every draw; None until a draw has found it.
    stated
        (budget, favouring) to the stated gain per user and its interval.
    """

    people: People
    learned: LearnedTrial
    rehearsal: ScoreTable
    likely: FloatArray
    planner: Planner
    truth: ScoreTable | None = None
    stated: dict[tuple[float, bool], tuple[float, float, float]] = field(default_factory=dict)


@dataclass(slots=True)
class BlockCache:
    """Everything that the draws and variants of one block have in common."""

    made: dict[str, Any] = field(default_factory=dict)

    def ground(self, variant: SweepVariant, seeds: DrawSeeds) -> Ground:
        """Return what a draw of a variant stands on."""
        scenario, policy = variant.scenario, variant.policy
        key = f"ground {scenario.model_dump_json()} {policy.model_dump_json()} {seeds.trial}"
        if key not in self.made:
            self.made[key] = self._ground(scenario, policy, seeds)
        ground: Ground = self.made[key]
        return ground

    def _ground(self, scenario: Scenario, policy: Policy, seeds: DrawSeeds) -> Ground:
        world = scenario.world or World()
        learned = self.learned(world, policy, seeds)
        people = self._people(world, policy, seeds)
        return ground_on(learned, people, self._forecast(learned, people, policy), policy)

    def learned(self, world: World, policy: Policy, seeds: DrawSeeds) -> LearnedTrial:
        """Return what the trial of a draw teaches."""
        settings = policy.model_dump_json(include={"offers", "eligibility", "features"})
        key = f"learned {_market(world)} {world.trial_rows} {seeds.trial} {settings}"
        if key not in self.made:
            trial = draw_trial(world, policy, seeds)
            self.made[key] = LearnedTrial.of(trial, policy, seed=seeds.learning)
        learned: LearnedTrial = self.made[key]
        return learned

    def _people(self, world: World, policy: Policy, seeds: DrawSeeds) -> People:
        lapsed = world.campaign.lapsed_users
        offers = policy.model_dump_json(include={"offers"})
        key = f"people {_market(world)} {world.users} {lapsed} {seeds.people} {offers}"
        if key not in self.made:
            self.made[key] = draw_people(world, policy, seeds)
        people: People = self.made[key]
        return people

    def _forecast(self, learned: LearnedTrial, people: People, policy: Policy) -> UserForecast:
        key = f"forecast {id(learned)} {id(people)} {policy.attribute_columns} {policy.measures}"
        if key not in self.made:
            self.made[key] = learned.forecast(people.users, policy)
        forecast: UserForecast = self.made[key]
        return forecast


def ground_on(
    learned: LearnedTrial, people: People, forecast: UserForecast, policy: Policy
) -> Ground:
    """Return what a draw stands on that meets these people with this knowledge."""
    return Ground(
        people=people,
        learned=learned,
        rehearsal=learned.rehearsal(policy),
        likely=forecast.likely,
        planner=Planner(
            policy=policy,
            forecast=forecast.scores,
            truth=None,
            blocked=holdout_of(policy, forecast.scores),
        ),
    )


def _market(world: World) -> str:
    return f"{world.market} {world.history_days}"
