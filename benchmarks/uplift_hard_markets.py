"""Markets made to break an effect learner: few rows, many features, interactions, both signs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from uplift_markets import Draw

from incentive_engine.config.offer import Offer
from incentive_engine.config.policy import Policy
from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import FloatArray

FACTORS: Final = 8
"""Latent traits behind correlated features."""


def usual_score(x: FloatArray) -> FloatArray:
    """Return log-odds (n,) in which a few features bend and act together."""
    score = 0.8 * (np.tanh(x[:, 0]) + x[:, 1 % x.shape[1]].clip(-2, 2) * (x[:, 2] > 0))
    return np.asarray(score + 0.4 * np.tanh(x[:, -1]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HardMarket:
    """A trial of one size with known effects.

    Attributes
    ----------
    rows
        Of the trial; as many users are asked about.
    offers
        How many there are; each costs 1.
    control
        Share of the rows that get nothing.
    base
        Share that converts without an offer.
    features
        (rows, rng) to features.
    effects
        Features as (n, p) float64 of unit scale to (n, offers) added probabilities.
    score
        The same features to log-odds of converting without an offer, but for a constant.
    """

    name: str
    rows: int
    offers: int = 1
    control: float = 0.5
    base: float = 0.2
    features: Callable[[int, np.random.Generator], pd.DataFrame]
    effects: Callable[[FloatArray], FloatArray]
    score: Callable[[FloatArray], FloatArray] = usual_score


def correlated(columns: int) -> Callable[[int, np.random.Generator], pd.DataFrame]:
    """Return numbers that share latent traits: bells, skewed amounts, counts and flags in turn."""

    def draw(rows: int, rng: np.random.Generator) -> pd.DataFrame:
        loading = np.random.default_rng(columns).normal(size=(columns, FACTORS)) / FACTORS**0.5
        latent = rng.normal(size=(rows, FACTORS)) @ loading.T + 0.5 * rng.normal(
            size=(rows, columns)
        )
        latent /= np.sqrt((loading**2).sum(axis=1) + 0.25)
        shapes = (
            lambda z: z,
            lambda z: np.exp(1.5 * z),
            lambda z: np.floor(np.maximum(2 * z, 0)),
            lambda z: (z > 0.8).astype(float),
        )
        return pd.DataFrame({f"x{j}": shapes[j % 4](latent[:, j]) for j in range(columns)})

    return draw


def heavy_tailed(columns: int) -> Callable[[int, np.random.Generator], pd.DataFrame]:
    """Return numbers without a variance, a tenth of them missing."""

    def draw(rows: int, rng: np.random.Generator) -> pd.DataFrame:
        values = rng.standard_t(1.5, size=(rows, columns))
        values[rng.random(values.shape) < 0.1] = np.nan
        return pd.DataFrame(values, columns=[f"x{j}" for j in range(columns)])

    return draw


def few_values(columns: int) -> Callable[[int, np.random.Generator], pd.DataFrame]:
    """Return counts with two to six values."""

    def draw(rows: int, rng: np.random.Generator) -> pd.DataFrame:
        sizes = [2 + j % 5 for j in range(columns)]
        return pd.DataFrame({f"x{j}": rng.integers(0, s, rows) for j, s in enumerate(sizes)})

    return draw


def cities(levels: int) -> Callable[[int, np.random.Generator], pd.DataFrame]:
    """Return a category of many levels, and numbers."""

    def draw(rows: int, rng: np.random.Generator) -> pd.DataFrame:
        features = pd.DataFrame(rng.normal(size=(rows, 10)), columns=[f"x{j}" for j in range(10)])
        place = rng.integers(0, levels, rows)
        features.insert(0, "city", np.array([f"city {each}" for each in range(levels)])[place])
        return features

    return draw


def by_city(scale: float) -> Callable[[FloatArray], FloatArray]:
    """Return effects of both signs that each city has of its own, whatever its name."""

    def effects(x: FloatArray) -> FloatArray:
        _, place = np.unique(x[:, 0], return_inverse=True)
        own = np.random.default_rng(60).normal(0.3, 1.0, place.max() + 1)
        return np.asarray(scale * own[place][:, None])

    return effects


def acting_together(scale: float) -> Callable[[FloatArray], FloatArray]:
    """Return effects of both signs, none on average: interactions of two, three and four."""

    def effects(x: FloatArray) -> FloatArray:
        up = x > 0
        total = (
            1.2 * (up[:, 0] & up[:, 5])
            - 1.2 * (up[:, 1] & ~up[:, 8])
            + 1.6 * (up[:, 4] & up[:, 9] & ~up[:, 12])
            - 1.6 * (up[:, 13] & up[:, 16] & up[:, 17] & ~up[:, 20])
            + 0.5 * np.tanh(x[:, 21]) * np.tanh(x[:, 24])
            + 0.3 * np.tanh(x[:, 25])
        )
        return np.asarray(scale * (total - total.mean())[:, None])

    return effects


def alike(scale: float, offers: int, spread: float) -> Callable[[FloatArray], FloatArray]:
    """Return offers that do nearly the same, with a small difference between users."""

    def effects(x: FloatArray) -> FloatArray:
        user = 1 + spread * np.tanh(x[:, 0] + x[:, 5])
        return np.asarray(scale * user[:, None] * np.linspace(0.9, 1.1, offers))

    return effects


def unlike(scale: float, offers: int) -> Callable[[FloatArray], FloatArray]:
    """Return offers that each move other users."""

    def effects(x: FloatArray) -> FloatArray:
        p = x.shape[1]
        return np.stack(
            [
                scale * (0.3 + np.tanh(x[:, (3 * j) % p]) + 0.5 * (x[:, (3 * j + 1) % p] > 0.5))
                for j in range(offers)
            ],
            axis=1,
        )

    return effects


def jumping(scale: float) -> Callable[[FloatArray], FloatArray]:
    """Return effects that jump at thresholds, and back again."""

    def effects(x: FloatArray) -> FloatArray:
        band = (np.abs(x[:, 0]) < 0.4).astype(float) - 0.3
        wave = np.sign(np.sin(3 * x[:, 3]))
        return np.asarray(scale * (1.5 * band + 0.5 * wave + (x[:, 6] > 1))[:, None])

    return effects


def mostly_average(scales: tuple[float, ...]) -> Callable[[FloatArray], FloatArray]:
    """Return offers that work unequally well, on all users much alike."""

    def effects(x: FloatArray) -> FloatArray:
        return np.asarray((1 + 0.25 * np.tanh(x[:, 0]))[:, None] * np.array(scales))

    return effects


HARD_MARKETS: Final = (
    HardMarket(
        name="together", rows=20_000, features=correlated(60), effects=acting_together(0.1)
    ),
    HardMarket(name="few rows", rows=5_000, features=correlated(30), effects=acting_together(0.1)),
    HardMarket(
        name="few rows, additive",
        rows=5_000,
        features=correlated(20),
        base=0.1,
        effects=unlike(0.03, 1),
    ),
    HardMarket(
        name="rare, alike",
        rows=50_000,
        offers=3,
        control=1 / 3,
        base=0.018,
        features=correlated(23),
        effects=alike(0.004, 3, 0.5),
    ),
    HardMarket(
        name="large, few features",
        rows=300_000,
        offers=3,
        control=0.55,
        base=0.3,
        features=few_values(4),
        effects=mostly_average((0.02, 0.03, 0.08)),
    ),
    HardMarket(
        name="jumps", rows=30_000, features=correlated(15), base=0.1, effects=jumping(0.03)
    ),
    HardMarket(
        name="heavy tails", rows=30_000, features=heavy_tailed(20), effects=unlike(0.04, 1)
    ),
    HardMarket(
        name="twenty offers",
        rows=60_000,
        offers=20,
        control=0.2,
        base=0.05,
        features=correlated(25),
        effects=unlike(0.015, 20),
    ),
    HardMarket(
        name="hundreds of features",
        rows=30_000,
        features=correlated(300),
        effects=acting_together(0.06),
    ),
    HardMarket(name="many levels", rows=30_000, features=cities(60), effects=by_city(0.06)),
    HardMarket(
        name="no differences",
        rows=20_000,
        offers=2,
        control=1 / 3,
        features=correlated(40),
        effects=alike(0.03, 2, 0.0),
    ),
)


def policy_of_hard(market: HardMarket) -> Policy:
    offers = tuple(Offer(id=f"offer{j}", face_value=1) for j in range(market.offers))
    return Policy(version=1, name="hard", offers=offers)


def draw_hard(market: HardMarket, rows: int, rng: np.random.Generator) -> Draw:
    """Return people of a market with their true chances; every offer costs 1."""
    features = market.features(rows, rng)
    x = _scaled(features)
    effect = market.effects(x)
    base = with_mean(market.score(x), market.base)
    effect = np.clip(effect, 0.002 - base[:, None], 0.998 - base[:, None])
    return Draw(
        features=features,
        base=base,
        effect=effect,
        cost=np.ones_like(effect),
        value=np.ones(rows),
    )


def _scaled(features: pd.DataFrame) -> FloatArray:
    """Return ranks as normal scores, (n, p), 0 where missing; ties share their mean."""
    from scipy.special import ndtri

    ranks = features.rank(pct=True).to_numpy() - 0.5 / len(features)
    return np.asarray(np.nan_to_num(ndtri(ranks.clip(1e-6, 1 - 1e-6))))


def with_mean(score: FloatArray, mean: float) -> FloatArray:
    """Return probabilities (n,) of log-odds that are moved alike, so that they have this mean."""
    low, high = -15.0, 15.0
    for _ in range(60):
        middle = (low + high) / 2
        chance = 1 / (1 + np.exp(-score - middle))
        low, high = (middle, high) if chance.mean() < mean else (low, middle)
    return np.asarray(1 / (1 + np.exp(-score - low)))


def hard_trial(market: HardMarket, draw: Draw, rng: np.random.Generator) -> Trial:
    """Return the draw with arms given by lot, as a trial's log."""
    rows = len(draw.base)
    shares = np.array([market.control, *[(1 - market.control) / market.offers] * market.offers])
    arm = rng.choice(len(shares), rows, p=shares)
    chance = np.column_stack([draw.base, draw.base[:, None] + draw.effect])
    happened = (rng.random(rows) < chance[np.arange(rows), arm]).astype(float)
    return Trial(
        offers=tuple(f"offer{j}" for j in range(market.offers)),
        user_id=pd.Series(range(rows)),
        features=draw.features,
        arm=arm.astype(np.int16),
        conversion=happened,
        spend=happened,
        cost=(arm > 0).astype(float),
        propensity=shares[arm],
        ignored_rows={},
        counts={},
        warnings=(),
    )
