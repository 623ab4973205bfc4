"""How people of a sample campaign react to offers: the truth, and what a trial sees of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, ndtr

from incentive_engine.config.offer import Offer
from incentive_engine.domain import CONTROL, FloatArray, IntArray, score_column
from incentive_engine.synthetic.habits import Habits
from incentive_engine.synthetic.population import SyntheticPopulation


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Offers, how strongly each works, and the probabilities that a trial gave them.

    Attributes
    ----------
    offers
        In the order of every matrix.
    dose
        Effect of each offer relative to the strongest; it saturates up a ladder.
    stretch
        By how much each offer raises the basket, as a share.
    arms
        (tiers, 1 + offers) probabilities of control and of each offer, one row per tier.
    base
        Log odds of conversion without an offer, before the features.
    tier_lift
        What each tier adds to them.
    stocking_up
        How much larger a basket is during the campaign than otherwise.
    """

    offers: tuple[Offer, ...]
    dose: tuple[float, ...]
    stretch: tuple[float, ...]
    arms: tuple[tuple[float, ...], ...]
    base: float
    tier_lift: tuple[float, ...]
    stocking_up: float


def double11() -> Market:
    """Return the market of Double 11: large coupons by tier, and much stocking up."""
    return Market(
        offers=(
            Offer(id="off50", face_value=50, min_spend=399, ladder="platform", funder="platform"),
            Offer(
                id="off100", face_value=100, min_spend=799, ladder="platform", funder="platform"
            ),
            Offer(
                id="off200", face_value=200, min_spend=1499, ladder="platform", funder="platform"
            ),
            Offer(id="vip200", face_value=200, min_spend=1199, funder="platform"),
        ),
        dose=(0.38, 0.66, 1.0, 1.1),
        stretch=(0.01, 0.02, 0.05, 0.05),
        arms=(
            (0.30, 0.25, 0.25, 0.20, 0.00),
            (0.25, 0.20, 0.25, 0.30, 0.00),
            (0.20, 0.10, 0.15, 0.20, 0.35),
        ),
        base=-3.3,
        tier_lift=(0.0, 0.6, 2.2),
        stocking_up=4.0,
    )


def winback() -> Market:
    """Return a market of lapsed people who are won back."""
    return Market(
        offers=(
            Offer(id="back15", face_value=15, min_spend=79, ladder="back", funder="platform"),
            Offer(id="back30", face_value=30, min_spend=199, ladder="back", funder="platform"),
            Offer(id="freeship", face_value=12, funder="logistics"),
        ),
        dose=(0.6, 1.0, 0.5),
        stretch=(0.01, 0.03, 0.0),
        arms=((0.35, 0.25, 0.2, 0.2), (0.3, 0.2, 0.3, 0.2), (0.25, 0.2, 0.35, 0.2)),
        base=-3.25,
        tier_lift=(0.0, 0.3, 0.6),
        stocking_up=0.5,
    )


def everyday() -> Market:
    """Return a market of coupons for categories."""
    return Market(
        offers=(
            Offer(id="food15", face_value=15, min_spend=99, categories=("food", "pets")),
            Offer(id="style25", face_value=25, min_spend=129, categories=("apparel", "beauty")),
            Offer(id="home20", face_value=20, min_spend=119, categories=("home", "baby")),
        ),
        dose=(0.8, 1.0, 0.9),
        stretch=(0.01, 0.02, 0.02),
        arms=((0.4, 0.2, 0.2, 0.2), (0.4, 0.2, 0.2, 0.2)),
        base=-3.2,
        tier_lift=(0.0, 0.4),
        stocking_up=0.9,
    )


def weekly() -> Market:
    """Return a market of small weekly coupons, one ladder for everybody."""
    return Market(
        offers=(
            Offer(id="off5", face_value=5, ladder="weekly"),
            Offer(id="off10", face_value=10, ladder="weekly"),
        ),
        dose=(1.5, 2.5),
        stretch=(0.0, 0.01),
        arms=((0.34, 0.33, 0.33),) * 3,
        base=-2.2,
        tier_lift=(0.0, 0.2, 0.5),
        stocking_up=0.3,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """What really happens, in expectation, to n people under each of 1 + k arms.

    Attributes
    ----------
    conversion : (n, 1 + k) float64
        Probability of conversion; column 0 is control.
    basket : (n, 1 + k) float64
        Median spend of a converter, currency units.
    redemption : (n, 1 + k) float64
        Probability that a converter whose basket suffices redeems; 0 for control.
    """

    BASKET_SIGMA: ClassVar = 0.75
    """Spread of the log basket of one person; spend given conversion is heavy-tailed."""

    conversion: FloatArray
    basket: FloatArray
    redemption: FloatArray

    @property
    def mean_basket(self) -> FloatArray:
        """Mean spend of a converter, (n, 1 + k), currency units."""
        return np.asarray(self.basket * np.exp(self.BASKET_SIGMA**2 / 2))


def react(people: SyntheticPopulation, market: Market) -> Truth:
    """Return how `people` react to each arm of `market`."""
    base = _baseline(people, market)
    common = np.zeros(len(base)) if people.habits else _appeal(people)
    habit = _redemption(people)
    usual = people.basket * market.stocking_up
    conversion, basket, redemption = [base], [usual], [np.zeros(len(base))]
    for offer, dose, stretch in zip(market.offers, market.dose, market.stretch, strict=True):
        appeal = common if people.habits is None else _pull(people.habits, offer)
        raised = usual * (1 + stretch)
        usable = 0.3 + 0.7 * reaching(raised, offer.min_spend or 0.0)
        effect = dose * np.where(appeal > 0, usable, 1.0) * appeal
        # an offer that puts people off leaves a fifth of them, and none makes buying certain
        conversion.append(np.clip(base + effect, 0.2 * base, 0.95))
        basket.append(raised)
        redemption.append(habit)
    return Truth(
        conversion=np.column_stack(conversion),
        basket=np.column_stack(basket),
        redemption=np.column_stack(redemption),
    )


def truth_table(people: SyntheticPopulation, market: Market, truth: Truth) -> pd.DataFrame:
    """Return the true expectations per person.

    Columns: ``user_id``; ``control_conversion`` and ``control_spend`` without an offer; and for
    each offer the increments ``conversion__<offer>`` and ``spend__<offer>`` and the expected
    cost ``cost__<offer>``. An offer's columns stand for every person, whoever may get it.
    """
    spend = truth.conversion * truth.mean_basket
    face, least = terms_of_arms(market.offers)
    reaches = reaching(truth.basket, least)
    table = {
        "user_id": people.known["user_id"],
        "control_conversion": truth.conversion[:, 0],
        "control_spend": spend[:, 0],
    }
    for arm, offer in enumerate(market.offers, start=1):
        cost = truth.conversion[:, arm] * (truth.redemption[:, arm] * reaches[:, arm]) * face[arm]
        table[score_column("conversion", offer.id)] = (
            truth.conversion[:, arm] - truth.conversion[:, 0]
        )
        table[score_column("spend", offer.id)] = spend[:, arm] - spend[:, 0]
        table[score_column("cost", offer.id)] = cost
    return pd.DataFrame(table)


def run_trial(
    people: SyntheticPopulation, market: Market, truth: Truth, *, rng: np.random.Generator
) -> pd.DataFrame:
    """Give each person a random arm and return what is seen: one row per person."""
    n = len(people.tier)
    shares = np.array(market.arms)[people.tier]
    edges = np.cumsum(shares, axis=1)[:, :-1]
    arm = (rng.random(n)[:, None] >= edges).sum(axis=1)
    names = np.array([CONTROL, *(offer.id for offer in market.offers)], dtype=object)
    seen = {
        "offer": pd.array(names[arm], dtype="str"),
        "propensity": shares[np.arange(n), arm],
        **outcomes_of(market, truth, arm, rng=rng),
    }
    return people.known.assign(**seen)


def outcomes_of(
    market: Market, truth: Truth, arm: IntArray, *, rng: np.random.Generator
) -> dict[str, npt.NDArray[np.generic]]:
    """Return what n people do who get these arms (n,): conversion, spend and cost, by name."""
    n = len(arm)
    rows = np.arange(n)
    converts = rng.random(n) < truth.conversion[rows, arm]
    basket = truth.basket[rows, arm] * np.exp(truth.BASKET_SIGMA * rng.standard_normal(n))
    face, least = (term[arm] for term in terms_of_arms(market.offers))
    redeems = converts & (basket >= least) & (rng.random(n) < truth.redemption[rows, arm])
    return {
        "conversion": converts.astype(np.int64),
        "spend": np.where(converts, np.round(basket, 2), 0.0),
        "cost": np.where(redeems, face, 0.0),
    }


def reaching(median: FloatArray, least: npt.ArrayLike) -> FloatArray:
    """Return the probability that a lognormal basket with this median is at least `least`."""
    with np.errstate(divide="ignore"):  # without a minimum, any basket will do
        return np.asarray(ndtr(np.log(median / np.asarray(least)) / Truth.BASKET_SIGMA))


def terms_of_arms(offers: Sequence[Offer]) -> tuple[FloatArray, FloatArray]:
    """Return face value and minimum spend per arm, (1 + k,) each, control first."""
    face = np.array([0.0, *(offer.face_value for offer in offers)])
    least = np.array([0.0, *(offer.min_spend or 0.0 for offer in offers)])
    return face, least


def _redemption(people: SyntheticPopulation) -> FloatArray:
    """Return the probability that a converter whose basket suffices redeems an offer."""
    if people.habits is not None:
        return np.asarray(0.35 + 0.6 * people.habits.coupons)
    return np.asarray(0.65 + 0.33 * expit(people.sensitivity + 0.5 * people.is_member))


def _pull(habits: Habits, offer: Offer) -> FloatArray:
    """Return the effect of a full dose on people with habits, in probability.

    It works on those who use coupons, buy what it can be spent on, and are due by their rhythm;
    others it hardly moves.
    """
    own = [SyntheticPopulation.CATEGORIES.index(str(category)) for category in offer.categories]
    affinity: FloatArray = habits.taste[:, own].sum(axis=1)
    return 0.28 * habits.coupons * (0.25 + affinity) * (0.3 + 0.7 * habits.due) - 0.004


def _baseline(people: SyntheticPopulation, market: Market) -> FloatArray:
    """Return the probability of conversion without an offer."""
    known = people.known
    if people.habits is not None:
        odds = market.base + np.array(market.tier_lift)[people.tier] + 1.2 * people.habits.due
        return np.asarray(expit(odds + 0.3 * people.engagement))
    odds = market.base + np.array(market.tier_lift)[people.tier]
    odds = odds + 0.35 * people.engagement + 0.1 * np.minimum(known["cart_items"], 5)
    odds = odds - 0.0012 * np.minimum(known["recency_days"], 700)
    odds = odds + 0.15 * (known["device"] == "ios") - 0.25 * (known["channel"] == "web")
    return expit(np.asarray(odds, dtype=np.float64))


def _appeal(people: SyntheticPopulation) -> FloatArray:
    """Return the effect of the strongest offer whose minimum spend is met, in probability.

    A smooth part (price sensitivity, warmth), patches (a region on one channel, an age group, a
    category), and people whom offers put off: those who care little for prices and have shopped
    enough to be annoyed.
    """
    known = people.known
    warm = np.exp(-((np.asarray(known["browse_7d"], dtype=np.float64) - 5) ** 2) / 40)
    smooth = 0.034 * expit(1.1 * people.sensitivity + 0.6) * (0.55 + 0.75 * warm)
    patch = np.ones(len(known))
    inland = known["region"].isin(["Henan", "Sichuan", "Hunan"])
    patch[inland & (known["channel"] == "mini-program")] *= 2.2
    patch[(known["age"] >= 55).to_numpy(dtype=bool, na_value=False)] *= 0.45
    patch[(known["category_interest"] == "baby").to_numpy(dtype=bool, na_value=False)] *= 1.6
    annoyed = expit(4.0 * (-people.sensitivity - 1.4 + 0.15 * people.engagement))
    return np.where(people.is_member, 1.25, 1.0) * (smooth * patch - 0.022 * annoyed)
