"""A market that moves from campaign to campaign."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.special import expit, logit

from incentive_engine.config.schedule.campaign import CampaignSeries
from incentive_engine.domain import FloatArray
from incentive_engine.simulation.market.world import MOST_LIKELY, People


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
