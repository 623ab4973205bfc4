"""Everything random about one draw, from one seed: the same for every strategy and budget."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from incentive_engine.domain import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawSeeds:
    """The seeds of one draw; none depends on how many draws there are."""

    people: np.random.SeedSequence
    trial: np.random.SeedSequence
    outcomes: np.random.SeedSequence
    drift: np.random.SeedSequence
    """For what changes between the campaigns of a series."""
    learning: int
    """For the uplift model."""

    @classmethod
    def of(cls, *, seed: int, draw: int, trials: int) -> Self:
        """Return the seeds of draw number `draw`.

        There are `trials` different trials with users of their own, which draws take in turn;
        chances are each draw's own.
        """
        trial = draw % trials
        people, of_trial, learning = (
            np.random.SeedSequence(seed, spawn_key=(kind, trial)) for kind in range(3)
        )
        return cls(
            drift=np.random.SeedSequence(seed, spawn_key=(4, draw)),
            people=people,
            trial=of_trial,
            outcomes=np.random.SeedSequence(seed, spawn_key=(3, draw)),
            learning=int(learning.generate_state(1)[0]) % 2**31,
        )

    def in_campaign(self, campaign: int) -> DrawSeeds:
        """Return the seeds of a campaign of a series, whose users and chances are its own."""
        return replace(
            self, people=_part(self.people, campaign), outcomes=_part(self.outcomes, campaign)
        )


def _part(seed: np.random.SeedSequence, number: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, number))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CommonRandomNumbers:
    """What fate holds for n users, whatever they are offered.

    Common random numbers: a user who would convert with and without an offer does so in every
    strategy, so that noise common to two strategies cancels in their difference.

    Attributes
    ----------
    conversion, redemption : (n,) float64
        Uniform on [0, 1).
    basket, eagerness : (n,) float64
        Standard normal.
    delay : (n,) float64
        Exponential with mean 1: time to redemption.
    forecast_error : float
        Standard normal: how wrong the redemption forecast is in this draw.
    """

    conversion: FloatArray
    redemption: FloatArray
    basket: FloatArray
    eagerness: FloatArray
    delay: FloatArray
    forecast_error: float

    @classmethod
    def draw(cls, n: int, seed: np.random.SeedSequence) -> Self:
        """Draw the fates of n users."""
        rng = np.random.default_rng(seed)
        return cls(
            forecast_error=float(rng.standard_normal()),
            conversion=rng.random(n),
            redemption=rng.random(n),
            basket=rng.standard_normal(n),
            eagerness=rng.standard_normal(n),
            delay=rng.exponential(size=n),
        )
