"""Markets with known effects, for measuring uplift models against the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from incentive_engine.config.offer import Offer
from incentive_engine.config.policy import Policy
from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import BoolArray, FloatArray

FACES = (5.0, 10.0, 20.0, 40.0)
SHARES = (0.32, 0.22, 0.18, 0.16, 0.12)
Effects = Callable[[pd.DataFrame], FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Market:
    """A kind of market: how often people buy, and what offers change."""

    name: str
    base: float
    """Share that buys without an offer."""
    effects: Effects
    """(n, 4) added purchase probability."""
    ladder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draw:
    """People with their true probabilities; a trial on them when arms are drawn."""

    features: pd.DataFrame
    base: FloatArray
    effect: FloatArray
    cost: FloatArray
    value: FloatArray


def people(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    wealth, thrift = rng.normal(size=(2, rows))
    frame = pd.DataFrame(
        {
            "age": np.clip(38 + 11 * rng.normal(size=rows) + 4 * wealth, 18, 85).round(),
            "tenure": rng.gamma(2.0, 400.0, rows).round(),
            "recency": rng.exponential(30.0 * np.exp(-0.3 * wealth)).round(),
            "visits": rng.poisson(np.exp(1.2 + 0.4 * wealth)).astype(float),
            "spend_12m": np.exp(6 + wealth + 0.5 * rng.normal(size=rows)),
            "discount_share": 1 / (1 + np.exp(-thrift - 0.5 * rng.normal(size=rows))),
            "carts": rng.poisson(np.exp(0.3 * thrift)).astype(float),
            "returns": rng.binomial(5, 0.1, rows).astype(float),
            "region": rng.choice([f"r{i}" for i in range(8)], rows),
            "channel": rng.choice(["app", "web", "mini", "store"], rows, p=[0.5, 0.2, 0.2, 0.1]),
            "tier": np.where(wealth > 1.4, "88VIP", np.where(wealth > 0, "gold", "silver")),
        }
    )
    for i in range(5):
        frame[f"noise{i}"] = rng.normal(size=rows)
    frame.loc[rng.random(rows) < 0.1, "age"] = np.nan
    frame.loc[rng.random(rows) < 0.05, "discount_share"] = np.nan
    return frame


def _scaled(x: pd.Series, fill: float) -> FloatArray:
    values = x.fillna(fill).to_numpy(float)
    return np.asarray((values - values.mean()) / values.std())


def _propensity_to_buy(frame: pd.DataFrame, base: float) -> FloatArray:
    score = (
        0.5 * _scaled(np.log1p(frame["visits"]), 0)
        - 0.5 * _scaled(np.log1p(frame["recency"]), 0)
        + 0.3 * _scaled(np.log(frame["spend_12m"]), 0)
        + 0.2 * frame["channel"].eq("app").to_numpy(float)
    )
    low, high = -12.0, 6.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _logistic(score + middle).mean() < base else (low, middle)
    return _logistic(score + low)


def _logistic(x: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-x)))


def _thrift(frame: pd.DataFrame) -> FloatArray:
    """Reaction to depth: mean about 1, negative for about 8 %."""
    score = (
        1.0 * _scaled(frame["discount_share"], 0.5)
        + 0.4 * _scaled(np.log1p(frame["carts"]), 0)
        - 0.5 * _scaled(np.log1p(frame["recency"]), 0)
        + 0.3 * frame["channel"].eq("app").to_numpy(float)
        - 0.4 * (frame["age"].fillna(38) > 50).to_numpy(float)
    )
    return np.asarray(np.log1p(np.exp(score + 0.3)) - 0.25)


def ladder(scale: float) -> Effects:
    dose = scale * np.array([0.3, 0.5, 0.75, 1.0])
    return lambda frame: np.asarray(_thrift(frame)[:, None] * dose)


def nominal(scale: float) -> Effects:
    def effects(frame: pd.DataFrame) -> FloatArray:
        drivers = (
            _scaled(frame["discount_share"], 0.5),
            _scaled(np.log1p(frame["recency"]), 0),
            1.5 * frame["channel"].eq("mini").to_numpy(float)
            + frame["region"].isin(["r1", "r5"]).to_numpy(float),
            -_scaled(frame["age"], 38) + 0.5 * _scaled(np.log(frame["spend_12m"]), 0),
        )
        return np.stack([scale * (0.6 + 0.6 * driver) for driver in drivers], axis=1)

    return effects


def constant(scale: float) -> Effects:
    return lambda frame: np.tile(scale * np.array([0.3, 0.5, 0.75, 1.0]), (len(frame), 1))


def patchy(scale: float) -> Effects:
    def effects(frame: pd.DataFrame) -> FloatArray:
        region = frame["region"].str[1:].astype(int).to_numpy()
        young = (frame["age"].fillna(38) < 30).to_numpy(float)
        mini = frame["channel"].eq("mini").to_numpy(float)
        often = (frame["carts"] >= 2).to_numpy(float)
        patches = [
            np.array([0, 3, 0, 0, 0, 0, -1, 0.5])[region] + 2 * young,
            np.array([0, 0, 2, 0, 0, 0, -1, 0])[region] + 3 * mini,
            4 * young * mini + np.array([2, 0, 0, 0, 2, 0, 0, 0])[region],
            3 * often + np.array([0, 0, 0, 2, 0, -2, 0, 0])[region],
        ]
        return np.stack([scale * patch for patch in patches], axis=1)

    return effects


def joint(scale: float) -> Effects:
    """Bargain hunters react if they came lately; neither alone does much."""
    dose = scale * np.array([0.3, 0.5, 0.75, 1.0])

    def effects(frame: pd.DataFrame) -> FloatArray:
        hunter = _logistic(3 * _scaled(frame["discount_share"], 0.5))
        lately = _logistic(-3 * _scaled(np.log1p(frame["recency"]), 0))
        return np.asarray(4 * (hunter * lately)[:, None] * dose)

    return effects


def mixed(scale: float) -> Effects:
    def effects(frame: pd.DataFrame) -> FloatArray:
        both = np.concatenate([ladder(scale)(frame)[:, 1:], nominal(scale)(frame)[:, 3:]], axis=1)
        return np.asarray(both)

    return effects


MARKETS = (
    Market(name="ladder", base=0.03, effects=ladder(0.02), ladder="cash"),
    Market(name="nominal", base=0.03, effects=nominal(0.01)),
    Market(name="mixed", base=0.03, effects=mixed(0.015)),
    Market(name="patchy", base=0.03, effects=patchy(0.01)),
    Market(name="joint", base=0.03, effects=joint(0.02), ladder="cash"),
    Market(name="even", base=0.03, effects=constant(0.015), ladder="cash"),
    Market(name="rare", base=0.005, effects=ladder(0.004), ladder="cash"),
    Market(name="null", base=0.03, effects=constant(0.0), ladder="cash"),
)


def draw_people(market: Market, rows: int, rng: np.random.Generator) -> Draw:
    features = people(rows, rng)
    base = _propensity_to_buy(features, market.base)
    effect = np.clip(market.effects(features), 0.0002 - base[:, None], None)
    cost = 0.9 * (base[:, None] + effect) * np.array(FACES)
    value = 60 * np.exp(0.5 * _scaled(np.log(features["spend_12m"]), 0))
    return Draw(features=features, base=base, effect=effect, cost=cost, value=value)


def draw_trial(
    draw: Draw, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return arm, conversion, spend, cost and propensity of a trial on these people."""
    rows = len(draw.base)
    arm = rng.choice(len(SHARES), rows, p=SHARES)
    chance = np.concatenate([draw.base[:, None], draw.base[:, None] + draw.effect], axis=1)
    buys = rng.random(rows) < chance[np.arange(rows), arm]
    spend = buys * draw.value * np.exp(0.9 * rng.normal(size=rows) - 0.405)
    paid = buys * (rng.random(rows) < 0.9) * np.array((0.0, *FACES))[arm]
    return arm.astype(float), buys.astype(float), spend, paid, np.array(SHARES)[arm]


def policy_of(market: Market) -> Policy:
    offers = tuple(
        Offer(id=f"off{face:.0f}", face_value=face, ladder=market.ladder) for face in FACES
    )
    return Policy(version=1, name=market.name, offers=offers)


def best_plan(effect: FloatArray, cost: FloatArray, budget: float) -> BoolArray:
    """Return the (n, k) plan that a single price per cost unit gives within the budget."""
    low, high = 0.0, 10.0
    for _ in range(60):
        price = (low + high) / 2
        low, high = (
            (price, high) if (cost * _chosen(effect, cost, price)).sum() > budget else (low, price)
        )
    return _chosen(effect, cost, high)


def _chosen(effect: FloatArray, cost: FloatArray, price: float) -> BoolArray:
    gain = effect - price * cost
    best = gain.argmax(axis=1)
    return np.asarray((np.arange(gain.shape[1]) == best[:, None]) & (gain > 0))


def logged_trial(offers: tuple[str, ...], draw: Draw, rng: np.random.Generator) -> Trial:
    """Return the draw with arms given by lot, as a trial's log."""
    arm, conversion, spend, cost, propensity = draw_trial(draw, rng)
    nothing: MappingProxyType[str, int] = MappingProxyType({})
    return Trial(
        offers=offers,
        user_id=pd.Series(range(len(arm))),
        features=draw.features,
        arm=arm.astype(np.int16),
        conversion=conversion,
        spend=spend,
        cost=cost,
        propensity=propensity,
        ignored_rows=nothing,
        counts=nothing,
        warnings=(),
    )
