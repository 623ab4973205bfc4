"""Small trials with known effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from incentive_engine.config.offer import Offer
from incentive_engine.config.policy import Policy
from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import FloatArray

Effects = Callable[[pd.DataFrame], FloatArray]
BASE = 0.10
BASKET = 80.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """A trial and its truth."""

    trial: Trial
    policy: Policy
    effect: FloatArray
    """(n, k) added probability of conversion."""


def policy_of(*faces: float, ladder: str | None = None) -> Policy:
    offers = tuple(Offer(id=f"off{f:.0f}", face_value=f, ladder=ladder) for f in faces)
    return Policy(version=1, name="test", offers=offers)


def people(n: int, rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "thrift": rng.normal(size=n),
            "visits": rng.poisson(3.0, n).astype(float),
            "age": np.where(rng.random(n) < 0.1, np.nan, rng.uniform(18, 80, n)),
            "region": rng.choice(["north", "south", "east"], n),
        }
    )


def draw(
    policy: Policy,
    effects: Effects,
    *,
    n: int,
    seed: int,
    propensity: FloatArray | None = None,
    unit_cost: float | None = None,
) -> Known:
    """Draw a trial; `propensity` is (n, 1 + k), left out all arms are equally likely."""
    rng = np.random.default_rng(seed)
    features = people(n, rng)
    k = len(policy.offers)
    shares = np.full((n, k + 1), 1 / (k + 1)) if propensity is None else propensity
    arm = (rng.random(n)[:, None] > np.cumsum(shares, axis=1)[:, :-1]).sum(axis=1)
    effect = effects(features)
    chance = np.column_stack([np.full(n, BASE), BASE + effect])[np.arange(n), arm]
    buys = (rng.random(n) < chance).astype(float)
    spend = buys * BASKET * np.exp(0.5 * rng.normal(size=n) - 0.125)
    face = np.array([0.0, *(offer.face_value for offer in policy.offers)])[arm]
    paid = buys * (rng.random(n) < 0.8) * face
    if unit_cost is not None:
        paid = np.where(arm > 0, unit_cost, 0.0)
    trial = make_trial(policy, features, arm, buys, spend, paid, shares[np.arange(n), arm])
    return Known(trial=trial, policy=policy, effect=effect)


def make_trial(
    policy: Policy,
    features: pd.DataFrame,
    arm: np.ndarray,
    conversion: FloatArray,
    spend: FloatArray,
    cost: FloatArray,
    propensity: FloatArray,
) -> Trial:
    return Trial(
        offers=policy.offer_ids,
        user_id=pd.Series(np.arange(len(arm))),
        features=features,
        arm=arm.astype(np.int16),
        conversion=conversion.astype(float),
        spend=spend.astype(float),
        cost=cost.astype(float),
        propensity=propensity,
        ignored_rows=MappingProxyType({}),
        counts=MappingProxyType({}),
        warnings=(),
    )


def ladder_effects(features: pd.DataFrame) -> FloatArray:
    """Return effects that follow thrift, the second offer's twice the first's."""
    reaction = 0.02 * (1.5 + features["thrift"].to_numpy())
    return np.column_stack([reaction, 2 * reaction])


def even_effects(*sizes: float) -> Effects:
    return lambda features: np.tile(sizes, (len(features), 1))
