"""People whose past tells how they react: rhythm, taste and coupon habit, and their event log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.synthetic.population import SyntheticPopulation, describe_person


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Habits:
    """What n people do over the years; only their log tells of it.

    Attributes
    ----------
    gap : (n,) float64
        Mean days between orders.
    regularity : (n,) float64
        Shape of the gamma distribution of the gaps.
    since : (n,) float64
        Days since the last order.
    taste : (n, 8) float64
        Probability of each of `CATEGORIES` in an order.
    coupons : (n,) float64
        Probability of redeeming a coupon.
    """

    gap: FloatArray
    regularity: FloatArray
    since: FloatArray
    taste: FloatArray
    coupons: FloatArray

    @property
    def due(self) -> FloatArray:
        """How near somebody is to the next order by the own rhythm, (n,) from 0 to 1."""
        return np.exp(-((np.log(self.since / self.gap + 0.05) - 0.1) ** 2) / 0.6)


def draw_habitual(
    n: int, *, prefix: str, rng: np.random.Generator
) -> tuple[SyntheticPopulation, Habits]:
    """Draw n people; what is known of them at once is a year's summary, as in a ready row."""
    wealth, engagement, sensitivity = rng.standard_normal((3, n))
    gap = 45 * np.exp(0.55 * rng.standard_normal(n) - 0.3 * engagement)
    weights = rng.gamma(0.35, size=(n, len(SyntheticPopulation.CATEGORIES))) + 1e-3
    habits = Habits(
        gap=gap,
        regularity=np.exp(rng.normal(1.2, 0.6, n)),
        since=gap * rng.gamma(1.3, 0.8, n) + 0.01,
        taste=weights / weights.sum(axis=1, keepdims=True),
        coupons=rng.beta(0.6, 1.4, n),
    )
    basket = 160 * np.exp(0.3 * wealth + 0.2 * rng.standard_normal(n))
    orders = rng.poisson(365 / gap)
    known = pd.DataFrame({"user_id": [f"{prefix}{i:07d}" for i in range(1, n + 1)]})
    year = pd.DataFrame(
        {
            "recency_days": np.floor(habits.since).astype(np.int64),
            "orders_12m": orders,
            "spend_12m": np.round(orders * basket * np.exp(0.2 * rng.standard_normal(n)), 2),
        }
    )
    tier = (engagement + 0.5 * rng.standard_normal(n) > 1.2).astype(np.int64)
    people = SyntheticPopulation(
        known=pd.concat([known, describe_person(wealth, rng), year], axis=1),
        tier=tier,
        engagement=engagement,
        sensitivity=sensitivity,
        basket=basket,
        habits=habits,
    )
    return people, habits


def draw_log(
    people: SyntheticPopulation, habits: Habits, *, days: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Return what people did in so many days before their moments, and some days after.

    Columns: ``person`` (place), ``age`` (microseconds before the person's moment), ``kind``,
    ``category``, ``amount`` (cents, of orders).
    """
    orders, ages = _orders(habits, days, rng)
    bought = _categories(habits.taste, orders, rng)
    cents = 100 * people.basket[orders] * np.exp(0.5 * rng.standard_normal(len(orders)))
    # visits without an order, in a year
    strolls = 4.0
    came, strolled = _scattered(len(habits.gap), strolls, days, rng)
    looked = _categories(0.5 * habits.taste + 0.5 / len(SyntheticPopulation.CATEGORIES), came, rng)
    # coupons that a user gets in a year
    issues = 5.0
    got, issued = _scattered(len(habits.gap), issues, days, rng)
    coupons = rng.integers(0, len(SyntheticPopulation.CATEGORIES), len(got))
    used = rng.random(len(got)) < habits.coupons[got]
    # a coupon is redeemed within these
    redeemed_days = 7
    redeemed = issued[used] - rng.uniform(0, redeemed_days, int(used.sum()))
    parts = (
        ("order", orders, ages, bought, np.rint(cents)),
        ("visit", orders, ages + rng.uniform(0, 0.02, len(ages)), bought, None),
        ("visit", came, strolled, looked, None),
        ("issue", got, issued, coupons, None),
        ("redeem", got[used], redeemed, coupons[used], None),
    )
    return pd.concat([_part(*part) for part in parts], ignore_index=True)


def _part(
    kind: str, person: IntArray, age: FloatArray, category: IntArray, amount: FloatArray | None
) -> pd.DataFrame:
    names = np.array(SyntheticPopulation.CATEGORIES)[category]
    # microseconds
    day = 86_400_000_000
    return pd.DataFrame(
        {
            "person": person,
            "age": np.rint(age * day).astype(np.int64),
            "kind": kind,
            "category": pd.array(names, dtype="str"),
            "amount": np.full(len(person), np.nan) if amount is None else amount,
        }
    )


def _orders(habits: Habits, days: int, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Return the person of each order and the days before the moment, by gamma gaps."""
    counts = np.ceil(1.3 * days / habits.gap).astype(np.int64) + 4
    person = np.repeat(np.arange(len(counts)), counts)
    shape = habits.regularity[person]
    gaps = rng.gamma(shape) / shape * habits.gap[person]
    first = np.cumsum(counts) - counts
    gaps[first] = habits.since
    total = np.cumsum(gaps)
    ages = total - np.repeat(total[first] - gaps[first], counts)
    in_time = ages < days
    return person[in_time], ages[in_time]


def _scattered(
    n: int, per_year: float, days: int, rng: np.random.Generator
) -> tuple[IntArray, FloatArray]:
    """Return persons and days before the moment of events at random times."""
    # how far beyond the moment a log goes on: a log knows what no feature may see
    tail_days = 10
    counts = rng.poisson(per_year * (days + tail_days) / 365, n)
    person = np.repeat(np.arange(n), counts)
    return person, rng.uniform(-tail_days, days, len(person))


def _categories(
    chances: FloatArray, person: IntArray, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Draw a category for each event of a person by the person's chances (n, 8)."""
    edges = np.cumsum(chances, axis=1)
    edges /= edges[:, -1:]
    row = np.arange(len(edges))[:, None]
    wanted = rng.random(len(person)) + person
    drawn: IntArray = np.searchsorted((edges + row).ravel(), wanted, "right")
    return np.asarray(np.clip(drawn - person * edges.shape[1], 0, edges.shape[1] - 1))
