"""People of a sample campaign: what is known of them, and what drives them underneath."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from scipy.special import expit

from incentive_engine.domain import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from incentive_engine.synthetic.habits import Habits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SyntheticPopulation:
    """n people.

    Attributes
    ----------
    known : DataFrame of n rows
        ``user_id``, attributes and features, with missing values.
    tier : (n,) int64
        Position in `TIERS`.
    engagement, sensitivity : (n,) float64
        Standard normal; how much they shop, and how much they look at prices. Hidden.
    basket : (n,) float64
        Median basket, CNY. Hidden.
    habits
        What drives those who react by what they did before. Hidden.
    """

    TIERS: ClassVar = ("regular", "silver", "88VIP")
    """From the least to members."""
    REGIONS: ClassVar[Mapping[str, float]] = {
        "Guangdong": 13.0, "Jiangsu": 9.5, "Zhejiang": 9.0, "Shandong": 8.5, "Henan": 7.5,
        "Sichuan": 7.2, "Shanghai": 5.5, "Beijing": 5.2, "Hubei": 5.0, "Hebei": 4.8,
        "Hunan": 4.5, "Anhui": 4.2, "Fujian": 4.0, "Liaoning": 2.8, "Shaanxi": 2.5,
        "Jiangxi": 2.2, "Chongqing": 2.0, "Guangxi": 1.4, "Yunnan": 0.8, "Heilongjiang": 0.4,
    }  # fmt: skip
    """Province to its share of the users, in percent."""
    CATEGORIES: ClassVar = (
        "apparel", "beauty", "electronics", "food", "home", "baby", "sports", "pets",
    )  # fmt: skip
    """What people are interested in, buy, and look at."""

    known: pd.DataFrame
    tier: IntArray
    engagement: FloatArray
    sensitivity: FloatArray
    basket: FloatArray
    habits: Habits | None = None

    @property
    def is_member(self) -> BoolArray:
        """Whether a person is of the highest tier, (n,)."""
        return np.asarray(self.tier == len(self.TIERS) - 1)


def draw_population(
    n: int, *, prefix: str, lapsed: bool, rng: np.random.Generator
) -> SyntheticPopulation:
    """Draw n people; `lapsed` people have not ordered for more than 180 days."""
    wealth, engagement, chance = rng.standard_normal((3, n))
    sensitivity = -0.4 * wealth + np.sqrt(1 - 0.4**2) * rng.standard_normal(n)
    standing = 0.45 * wealth + 0.5 * engagement + np.sqrt(1 - 0.45**2 - 0.5**2) * chance
    # standard normal quantiles: about 20 % are silver, about 6 % are 88VIP
    tier_cuts = (0.643, 1.555)
    tier = np.searchsorted(tier_cuts, standing - 0.5 * lapsed)
    # median basket of each tier, CNY; with their orders members spend nine times as much as others
    basket = np.array([300.0, 330.0, 410.0])[tier] * np.exp(
        0.35 * wealth + 0.25 * rng.standard_normal(n)
    )
    known = pd.DataFrame({"user_id": [f"{prefix}{i:07d}" for i in range(1, n + 1)]})
    known["tier"] = _named(tier, SyntheticPopulation.TIERS)
    history = _history(tier, engagement, basket, lapsed=lapsed, rng=rng)
    known = pd.concat([known, describe_person(wealth, rng), history], axis=1)
    habits = _habits(history, engagement, sensitivity, rng)
    return SyntheticPopulation(
        known=pd.concat([known, habits], axis=1),
        tier=tier.astype(np.int64),
        engagement=engagement,
        sensitivity=sensitivity,
        basket=basket,
    )


def describe_person(wealth: FloatArray, rng: np.random.Generator) -> pd.DataFrame:
    """Return age, income band, region, channel, device and category; some are unknown."""
    n = len(wealth)
    age = np.clip(np.round(18 + rng.gamma(3.2, 5.6, n)), 18, 80)
    regions = SyntheticPopulation.REGIONS
    shares = np.array(list(regions.values()))
    band = np.searchsorted((-0.7, 0.5, 1.4), 0.8 * wealth + 0.6 * rng.standard_normal(n))
    web = expit((age - 58) / 9)
    channel = _choose(np.column_stack([0.72 * (1 - web), 0.28 * (1 - web), web]), rng)
    device = (rng.random(n) < expit(0.9 * wealth - 0.5)).astype(np.int64)
    device[(channel == 2) & (rng.random(n) < 0.8)] = 2
    channels = ("app", "mini-program", "web")
    devices = ("android", "ios", "desktop")
    income_bands = ("low", "middle", "upper", "high")
    return pd.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.08, np.nan, age),
            "income_band": _named(band, income_bands, missing=rng.random(n) < 0.2),
            "region": _named(rng.choice(len(shares), n, p=shares / shares.sum()), tuple(regions)),
            "channel": _named(channel, channels),
            "device": _named(device, devices),
            "category_interest": _named(
                _choose(_tastes(age, wealth), rng),
                SyntheticPopulation.CATEGORIES,
                missing=rng.random(n) < 0.05,
            ),
        }
    )


def _tastes(age: FloatArray, wealth: FloatArray) -> FloatArray:
    """Return each person's odds of being interested in each of `CATEGORIES`, (n, 8)."""
    odds = np.tile([1.0, 1.0, 1.0, 1.2, 1.5, 0.7, 0.3, 0.3], (len(age), 1))
    young = expit((32 - age) / 6)
    for category, pull in ((0, young), (1, young), (2, wealth.clip(0)), (4, -young), (6, young)):
        odds[:, category] += pull
    return odds


def _history(
    tier: IntArray,
    engagement: FloatArray,
    basket: FloatArray,
    *,
    lapsed: bool,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return orders and spend of twelve months that agree with the days since the last order."""
    n = len(tier)
    # mean orders in twelve months of each tier, before engagement
    pace = np.array([5.0, 11.0, 23.5])[tier] * np.exp(0.35 * engagement)
    if lapsed:
        # 180: without an order for longer than this many days
        recency = np.ceil(180 + rng.exponential(150, n).clip(0, 720))
        pace = pace * np.clip(1 - recency / 365, 0, None)
    orders = rng.negative_binomial(2.5, 2.5 / (2.5 + pace + 1e-9))
    if lapsed:
        orders = np.where(recency <= 365, orders.clip(1), 0)
    else:
        within = np.ceil(365 * rng.beta(1, orders.clip(1)))
        recency = np.where(orders > 0, within, 366 + rng.exponential(120, n).clip(0, 600))
    paid = np.exp(0.2 * rng.standard_normal(n))
    spend = np.round(orders * basket * paid, 2)
    with np.errstate(invalid="ignore"):
        average = np.round(spend / np.where(orders > 0, orders, np.nan), 2)
    months = 6 + rng.gamma(2.0, 11.0, n) + 9.0 * tier + recency / 30
    return pd.DataFrame(
        {
            "tenure_months": np.floor(months).astype(np.int64),
            "recency_days": np.floor(recency).astype(np.int64),
            "orders_12m": orders.astype(np.int64),
            "spend_12m": spend,
            "avg_basket": average,
        }
    )


def _habits(
    history: pd.DataFrame,
    engagement: FloatArray,
    sensitivity: FloatArray,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return recent browsing and the traces of price sensitivity."""
    n = len(history)
    orders = history["orders_12m"].to_numpy()
    awake = np.exp(-history["recency_days"].to_numpy() / 400)
    browse = rng.poisson(np.exp(1.2 + 0.5 * engagement) * awake + 0.2)
    proxy = expit(1.1 * (sensitivity + 0.35 * rng.standard_normal(n)))
    return pd.DataFrame(
        {
            "browse_7d": browse.astype(np.int64),
            "cart_items": rng.poisson(0.3 + 0.25 * browse).astype(np.int64),
            "coupon_redemptions_12m": rng.binomial(orders, 0.7 * expit(sensitivity - 0.6)),
            "price_sensitivity": np.where(orders > 0, np.round(proxy, 3), np.nan),
        }
    )


def _choose(odds: FloatArray, rng: np.random.Generator) -> IntArray:
    """Draw one column for each row, with probabilities in proportion to the row's odds."""
    edges = np.cumsum(odds, axis=1)
    drawn = rng.random(len(odds)) * edges[:, -1]
    return np.asarray((drawn[:, None] >= edges[:, :-1]).sum(axis=1), dtype=np.int64)


def _named(
    codes: IntArray, names: tuple[str, ...], *, missing: BoolArray | None = None
) -> pd.Series:
    """Return names in place of codes, as a column of text."""
    named = pd.Series(np.array(names, dtype=object)[codes], dtype="str")
    return named if missing is None else named.mask(missing)
