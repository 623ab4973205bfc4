"""What a scenario file may say: closed, frozen models.

The string under a field is its documentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from incentive_engine.config.access.location import path_beside
from incentive_engine.config.conditions import Where
from incentive_engine.config.document.editing import flow_text
from incentive_engine.config.document.loading import load_document
from incentive_engine.config.document.models import Document, Model
from incentive_engine.config.document.problems import FieldProblem, reject
from incentive_engine.config.document.words import Words
from incentive_engine.config.fields import Column, Money, Name, Scalar, Seed, Share
from incentive_engine.config.schedule.campaign import Calendar, CampaignSeries
from incentive_engine.language import say

Strategy = Literal[
    "nobody", "everyone", "first-come", "tier-rules", "propensity", "greedy",
    "engine", "engine-unweighted", "oracle", "oracle-unweighted",
    "engine-learning", "engine-naive",
]  # fmt: skip
EXPLORING: Final = "engine-learning"
"""The strategy that has some users explore and learns from them."""
LEARNING: Final[tuple[Strategy, ...]] = (EXPLORING, "engine-naive")
"""Strategies that learn from the campaigns of a series."""


def _policy_path(path: Path, info: ValidationInfo) -> Path:
    return path_beside(path, info, expected="a policy (YAML)", required=True)


PolicyPath = Annotated[
    Path, Field(strict=False), AfterValidator(_policy_path), Words("the path of a policy (YAML)")
]
Factor = Annotated[float, Field(gt=0, le=10), Words("a factor above 0, at most 10")]


class CampaignShift(Model):
    """How the campaign differs from the trial: what no plan can know beforehand."""

    effect: Factor = 1.0
    """Factor on what every offer changes."""
    baseline: float = Field(default=0.0, ge=-3, le=3)
    """Added to everybody's log odds of converting without an offer."""
    basket: Factor = 1.0
    """Factor on what a converter spends."""
    redemption: Factor = 1.0
    """Factor on the probability that a converter redeems: 1.05 is a forecast that is 5 % short."""
    redemption_spread: float = Field(default=0.0, ge=0, le=1)
    """Standard deviation of a further factor on it, drawn once per draw: how well redemption can
    be known at all."""
    lapsed_users: Share = 0.0
    """Share of the users that have not ordered for half a year, unlike anybody in the trial."""
    spike: Factor = 1.0
    """Factor on everybody's probability of converting in the wave `spike_wave`, or throughout
    where there is no calendar: more people come than were forecast."""
    spike_wave: Name | None = None
    """The wave of the traffic spike."""


class World(Model):
    """A market in which the true effect of every offer on every user is known."""

    market: Literal["double11", "winback", "everyday", "weekly"] = "double11"
    """`double11` (regular, silver and 88VIP users), `winback` (lapsed users), `everyday` (people
    whose event log tells how they react) or `weekly` (small coupons that change much)."""
    history_days: int = Field(default=0, ge=0, le=3650)
    """For `everyday`: how far back the event log reaches from which the standard features are
    made; 0: only the ready row of each user."""
    users: int = Field(default=100_000, ge=100, le=10_000_000)
    """Users of the campaign, drawn anew in each draw."""
    trial_rows: int = Field(default=150_000, ge=1_000, le=10_000_000)
    """Rows of the randomised trial from which the strategies learn."""
    trials: int | None = Field(default=None, ge=1)
    """How many different trials, each with users of its own, the draws take in turn; left out:
    each draw has its own. Fewer are faster and say less: intervals then stand on so many
    independent means. The number of draws must be a multiple."""
    campaign: CampaignShift = CampaignShift()
    """How the campaign differs from the trial."""


class Replay(Model):
    """How the policy's logged trial is replayed."""

    folds: int = Field(default=2, ge=2, le=10)
    """Each row is valued by a strategy that learnt from the other folds."""
    clip: float = Field(default=0.01, gt=0, lt=0.5)
    """Propensities below this are thin overlap: rows count as if they had this, and a warning
    tells."""


class Sweep(Model):
    """One setting that takes several values, everything else equal."""

    setting: Name
    """A field of the policy as ``policy.holdout``, or of this file as ``world.trial_rows``; things
    in lists are addressed by name, id, column or position."""
    values: tuple[Scalar, ...] = Field(min_length=1, strict=False)
    """The values, in the order of the curve."""
    label: Name | None = None
    """How the curve's axis is called; left out: the setting."""


class Scenario(Document):
    """A campaign, replayed under several strategies and budgets."""

    version: Literal[1]
    """The version of this format."""
    name: Name
    """The scenario's name."""
    policy: PolicyPath
    """The policy whose offers, aim, limits, basis of the budget and holdout hold; relative to this
    file."""
    set: dict[Name, Scalar] = Field(default_factory=dict)
    """Settings of the policy that are changed for this scenario, such as ``holdout: 0``."""
    source: Literal["world", "trial"]
    """`world`: a market with known truth; `trial`: the policy's logged trial, off-policy."""
    world: World | None = None
    """The market, with `source: world`."""
    trial: Replay | None = None
    """The replay, with `source: trial`."""
    strategies: Annotated[tuple[Strategy, ...], Field(min_length=1, strict=False)] = get_args(
        Strategy
    )[:9]
    """The ways of handing out offers that are compared."""
    baseline: Strategy = "nobody"
    """The strategy against which gains are stated: the former method, or nobody."""
    budgets: tuple[Annotated[Money, Field(gt=0)], ...] = Field(min_length=1, strict=False)
    """The pools that are compared, currency units."""
    draws: int = Field(ge=1, le=10_000)
    """How often the campaign is replayed; for a trial, how often it is split into folds anew."""
    seed: Seed = 0
    """Every random choice follows from it."""
    favoured: Where = Field(default_factory=dict)
    """The group whose share of the offers is shown, such as {tier: 88VIP}."""
    recency: Column = "recency_days"
    """For the tier rules: the column of the time since the last order."""
    frequency: Column | None = "orders_12m"
    """For the tier rules: the column of the number of orders."""
    spend: Column = "spend_12m"
    """For the tier rules: the column of the spend."""
    calendar: Calendar | None = None
    """The waves of the campaign; left out: everybody at once."""
    series: CampaignSeries | None = None
    """Campaigns one after another in a market that drifts; left out: one campaign."""
    sweep: Sweep | None = None
    """One setting that takes several values."""

    @field_validator("budgets")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(set(value)):
            what = "the budgets do not rise"
            reject(FieldProblem((), what, "each amount once, the smallest first"))
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [
            *_market_problems(self),
            *_source_problems(self),
            *_strategy_problems(self),
            *_wave_problems(self),
            *_series_problems(self),
        ]
        if problems:
            reject(*problems)
        return self

    @property
    def policy_settings(self) -> tuple[str, ...]:
        """What the scenario changes in its policy, as ``KEY=VALUE``."""
        return tuple(f"{key}={_as_written(value)}" for key, value in self.set.items())


def _as_written(value: Scalar) -> str:
    """Return a setting as `--set` reads it: text with brackets around it is a list or mapping."""
    if isinstance(value, str) and value.strip()[:1] in {"[", "{"}:
        return value
    # quoted where it must be: text such as 007 or 12 would be read as a number
    return flow_text(value)


def load_scenario(path: Path, *, set_values: Sequence[str] = ()) -> Scenario:
    """Read a scenario file; the policy's path becomes absolute.

    Raises
    ------
    ConfigError
        With every problem of the file, in the order of its lines.
    """
    return load_document(Scenario, path, set_values=set_values)


def _market_problems(scenario: Scenario) -> list[FieldProblem]:
    world = scenario.world
    if world is None:
        return []
    problems = []
    if world.history_days and world.market != "everyday":
        what = say("the people of the market `{market}` have no event log", market=world.market)
        problems.append(FieldProblem(("world", "history_days"), what, "`market: everyday`"))
    if world.campaign.lapsed_users and world.market == "everyday":
        loc = ("world", "campaign", "lapsed_users")
        problems.append(FieldProblem(loc, "nobody of the market `everyday` has lapsed", "0"))
    return problems


def _source_problems(scenario: Scenario) -> list[FieldProblem]:
    other: Any = "trial" if scenario.source == "world" else "world"
    problems = []
    trials = scenario.world.trials if scenario.world else None
    if trials is not None and scenario.draws % trials:
        what = say(
            "{draws} draws cannot share {trials} trials evenly",
            draws=scenario.draws,
            trials=trials,
        )
        problems.append(
            FieldProblem(("draws",), what, say("a multiple of {trials}", trials=trials))
        )
    if getattr(scenario, other) is not None:
        what = say(
            "settings of a {other} stand beside `source: {source}`",
            other=other,
            source=scenario.source,
        )
        problems.append(
            FieldProblem(
                (other,), what, remedy=say("leave them out, or write source: {other}", other=other)
            )
        )
    if scenario.source == "trial" and scenario.calendar is not None:
        waves = "a logged trial cannot be replayed in waves"
        problems.append(FieldProblem(("calendar",), waves, remedy="use source: world"))
    return problems


def _strategy_problems(scenario: Scenario) -> list[FieldProblem]:
    problems = []
    # strategies that know the true effects; a logged trial cannot serve them
    needs_truth = ("oracle", "oracle-unweighted")
    for index, name in enumerate(scenario.strategies):
        if name in scenario.strategies[:index]:
            problems.append(
                FieldProblem(("strategies", index), say("`{name}` stands twice", name=name))
            )
        if name in needs_truth and scenario.source == "trial":
            what = say("`{name}` knows the truth, which a logged trial does not", name=name)
            problems.append(FieldProblem(("strategies", index), what, remedy="leave it out"))
    if scenario.baseline not in {*scenario.strategies, "nobody"}:
        what = say(
            "the baseline `{baseline}` is not among the strategies", baseline=scenario.baseline
        )
        problems.append(FieldProblem(("baseline",), what, remedy="add it to `strategies`"))
    return problems


def _wave_problems(scenario: Scenario) -> list[FieldProblem]:
    wanted = scenario.world.campaign.spike_wave if scenario.world else None
    names = [wave.name for wave in scenario.calendar.waves] if scenario.calendar else []
    if wanted is None or wanted in names:
        return []
    expected = "a wave of the calendar" if names else "a calendar with that wave"
    loc = ("world", "campaign", "spike_wave")
    return [FieldProblem(loc, say("there is no wave `{wanted}`", wanted=wanted), expected)]


def _series_problems(scenario: Scenario) -> list[FieldProblem]:
    if scenario.series is None:
        return [
            FieldProblem(
                ("strategies", index),
                say("`{name}` learns from campaigns before, and there is no series", name=name),
                remedy="add `series:` with `campaigns: 12`",
            )
            for index, name in enumerate(scenario.strategies)
            if name in LEARNING
        ]
    problems = []
    if scenario.source == "trial":
        what = "a logged trial holds one campaign, not a series"
        problems.append(FieldProblem(("series",), what, remedy="use source: world"))
    if scenario.calendar is not None:
        what = "waves within campaigns of a series are not replayed"
        problems.append(FieldProblem(("calendar",), what, remedy="leave out calendar or series"))
    if scenario.world is not None and scenario.world.trials is not None:
        what = "each draw of a series has a trial of its own"
        problems.append(FieldProblem(("world", "trials"), what, remedy="leave it out"))
    return problems
