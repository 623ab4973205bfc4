"""Markets with known truth: the people of a draw, the trial to learn from, what happens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from incentive_engine.config.policy import Policy
from incentive_engine.config.scenario import CampaignShift, World
from incentive_engine.config.schedule.campaign import CampaignSeries
from incentive_engine.data.trials.campaigns import RESERVED
from incentive_engine.data.trials.trial import Trial
from incentive_engine.data.users import UserTable
from incentive_engine.domain import CONTROL, FloatArray
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.language import say
from incentive_engine.simulation.market.behaviour import with_history
from incentive_engine.simulation.market.chances import DrawSeeds
from incentive_engine.synthetic.market import Market, Truth, react, run_trial
from incentive_engine.synthetic.population import SyntheticPopulation, draw_population
from incentive_engine.synthetic.sample import MARKETS, market_people


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class People:
    """The users of a campaign.

    Attributes
    ----------
    users
        What a planner knows of them; n rows.
    reaction
        How they would react if the campaign were like the trial, (n, 1 + k), the policy's offers
        in order.
    liveliness : (n,) float64
        How much habit and liking for discounts bring somebody early.
    traits : (n, 3) float64
        Standardised: how much they shop, how much they look at prices, how large baskets are.
    """

    MOST_LIKELY: ClassVar = 0.95
    """No probability of converting exceeds this, as in the market itself."""

    users: UserTable
    reaction: Truth
    liveliness: FloatArray
    traits: FloatArray


def draw_trial(world: World, policy: Policy, seeds: DrawSeeds) -> Trial:
    """Return a randomised trial among people of the market as it was before the campaign."""
    market, rng = MARKETS[world.market], np.random.default_rng(seeds.trial)
    people = market_people(world.market, world.trial_rows, prefix="T", rng=rng)
    frame = run_trial(people, market, react(people, market), rng=rng)
    features = with_history(people, policy, days=world.history_days, rng=rng)
    more = features.drop(columns=people.known.columns)
    return as_trial(pd.concat([frame, more], axis=1), policy)


def as_trial(frame: pd.DataFrame, policy: Policy) -> Trial:
    """Return a frame as `run_trial` makes it, without the arms that the policy does not offer."""
    arms = [CONTROL, *policy.offer_ids]
    code = pd.Index(arms).get_indexer(pd.Index(frame["offer"])).astype(np.int16)
    offered = code >= 0
    rows = frame[offered].reset_index(drop=True)
    lacking = [arm for j, arm in enumerate(arms) if not (code == j).any()]
    if lacking:
        what = say("the trial has no rows of the arms {lacking}", lacking=tuple(lacking))
        raise ConfigError(Fault("world.trial_rows", what, remedy="give the trial more rows"))
    return Trial(
        offers=policy.offer_ids,
        user_id=rows["user_id"],
        features=rows[[name for name in rows.columns if name not in RESERVED]],
        arm=code[offered],
        conversion=rows["conversion"].to_numpy(dtype=np.float64),
        spend=rows["spend"].to_numpy(dtype=np.float64),
        cost=rows["cost"].to_numpy(dtype=np.float64),
        propensity=rows["propensity"].to_numpy(dtype=np.float64),
        ignored_rows={},
        counts={},
        warnings=(),
    )


def draw_people(world: World, policy: Policy, seeds: DrawSeeds) -> People:
    """Return the users of a campaign."""
    rng = np.random.default_rng(seeds.people)
    population = _population(world, rng)
    features = with_history(population, policy, days=world.history_days, rng=rng)
    return People(
        users=UserTable(user_id=features["user_id"], features=features.drop(columns="user_id")),
        reaction=_reaction(population, MARKETS[world.market], policy),
        # how much the habit of shopping and the liking for discounts say about who comes early
        liveliness=0.6 * (population.engagement + population.sensitivity),
        traits=_traits(population),
    )


def drifted(truth: Truth, campaign: CampaignShift, forecast_error: float) -> Truth:
    """Return what happens in a campaign that differs from the trial.

    Parameters
    ----------
    truth
        What would happen if it did not.
    campaign
        How it differs.
    forecast_error
        Standard normal; in units of `redemption_spread`.
    """
    before = truth.conversion[:, :1]
    base = expit(logit(before) + campaign.baseline)
    effect = campaign.effect * (truth.conversion - before)
    conversion = np.clip(base + effect, 0.2 * base, People.MOST_LIKELY)
    redemption = campaign.redemption * (1 + campaign.redemption_spread * forecast_error)
    return Truth(
        conversion=conversion,
        basket=truth.basket * campaign.basket,
        redemption=np.clip(truth.redemption * redemption, 0, 1),
    )


def spiked(
    truth: Truth, *, factor: float, where: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Truth:
    """Return the truth with `factor` times the conversions of some users, (n,) bool."""
    more = np.minimum(truth.conversion * factor, np.maximum(People.MOST_LIKELY, truth.conversion))
    return replace(truth, conversion=np.where(where[:, None], more, truth.conversion))


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
        conversion = np.clip(base + effect, 0.2 * base, People.MOST_LIKELY)
        moved = np.column_stack([base, conversion])
        return replace(people, reaction=replace(truth, conversion=moved))


def _traits(people: SyntheticPopulation) -> FloatArray:
    traits = np.column_stack([people.engagement, people.sensitivity, np.log(people.basket)])
    return np.asarray((traits - traits.mean(axis=0)) / traits.std(axis=0))


def _population(world: World, rng: np.random.Generator) -> SyntheticPopulation:
    lapsed = 0
    if world.market != "winback":
        lapsed = round(world.users * world.campaign.lapsed_users)
    usual = market_people(world.market, world.users - lapsed, prefix="U", rng=rng)
    if not lapsed:
        return usual
    return _joined(usual, draw_population(lapsed, prefix="L", lapsed=True, rng=rng))


def _joined(one: SyntheticPopulation, two: SyntheticPopulation) -> SyntheticPopulation:
    def both(name: str) -> FloatArray:
        return np.concatenate([getattr(one, name), getattr(two, name)])

    return SyntheticPopulation(
        known=pd.concat([one.known, two.known], ignore_index=True),
        tier=both("tier").astype(np.int64),
        engagement=both("engagement"),
        sensitivity=both("sensitivity"),
        basket=both("basket"),
    )


def _reaction(people: SyntheticPopulation, market: Market, policy: Policy) -> Truth:
    """Return the reaction to control and to the policy's offers, in the policy's order."""
    names = [offer.id for offer in market.offers]
    columns = [0, *(1 + names.index(offer) for offer in policy.offer_ids)]
    truth = react(people, market)
    return Truth(
        conversion=truth.conversion[:, columns],
        basket=truth.basket[:, columns],
        redemption=truth.redemption[:, columns],
    )
