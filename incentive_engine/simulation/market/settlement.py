"""What each user would do and cost under each arm, and what a plan therefore earns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from incentive_engine.config.offer import Offer
from incentive_engine.domain import MICROS, BoolArray, ChoiceArray, FloatArray, to_micros
from incentive_engine.simulation.market.chances import CommonRandomNumbers
from incentive_engine.synthetic.market import Truth, reaching, terms_of_arms


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PotentialOutcomes:
    """What n users do under each of 1 + k arms; column 0 is no offer.

    Attributes
    ----------
    conversion : (n, 1 + k) float64
        0 or 1 when it is a draw, a probability when it is the expectation.
    spend, cost : (n, 1 + k) float64
        Currency units.
    """

    conversion: FloatArray
    spend: FloatArray
    cost: FloatArray

    @property
    def cost_micros(self) -> npt.NDArray[np.int64]:
        """What each user would cost, (n, 1 + k) int64 millionths, so that sums are exact."""
        return to_micros(self.cost)


class PlanIncrement(NamedTuple):
    """What a plan changes, against giving nobody anything."""

    conversions: float
    spend: float
    cost: float

    @classmethod
    def of(cls, choice: ChoiceArray, outcomes: PotentialOutcomes) -> Self:
        """Settle a plan."""
        treated = np.flatnonzero(choice >= 0)
        arm = choice[treated].astype(np.int64) + 1
        micros = int(to_micros(outcomes.cost[treated, arm]).sum())
        return cls(
            conversions=_added(outcomes.conversion, treated, arm),
            spend=_added(outcomes.spend, treated, arm),
            cost=micros / MICROS,
        )


def _added(measure: FloatArray, rows: npt.NDArray[np.int64], arm: npt.NDArray[np.int64]) -> float:
    return float((measure[rows, arm] - measure[rows, 0]).sum())


def realised(
    truth: Truth, offers: tuple[Offer, ...], chances: CommonRandomNumbers
) -> PotentialOutcomes:
    """Return what really happens to each user under each arm.

    The same chances decide under every arm: who converts at 5 % also does at 6 %.
    """
    converts = chances.conversion[:, None] < truth.conversion
    basket = truth.basket * np.exp(truth.BASKET_SIGMA * chances.basket)[:, None]
    face, least = terms_of_arms(offers)
    redeems = converts & (basket >= least) & (chances.redemption[:, None] < truth.redemption)
    return PotentialOutcomes(
        conversion=converts.astype(np.float64),
        spend=np.where(converts, np.round(basket, 2), 0.0),
        cost=np.where(redeems, face, 0.0),
    )


def expected(truth: Truth, offers: tuple[Offer, ...]) -> PotentialOutcomes:
    """Return the expectation of `realised` over all chances."""
    face, least = terms_of_arms(offers)
    return PotentialOutcomes(
        conversion=truth.conversion,
        spend=truth.conversion * truth.mean_basket,
        cost=truth.conversion * reaching(truth.basket, least) * truth.redemption * face,
    )


def lapsing(outcomes: PotentialOutcomes, lapses: FloatArray | BoolArray) -> PotentialOutcomes:
    """Return outcomes where offers lapse: the user then acts as if there had been none.

    Parameters
    ----------
    outcomes
        What happens if none lapses.
    lapses
        (n,) whether it does, or with which probability.
    """
    share = np.asarray(lapses, dtype=np.float64)[:, None]

    def mixed(measure: FloatArray) -> FloatArray:
        return np.where(share > 0, (1 - share) * measure + share * measure[:, :1], measure)

    return PotentialOutcomes(
        conversion=mixed(outcomes.conversion),
        spend=mixed(outcomes.spend),
        cost=mixed(outcomes.cost),
    )


def absent(outcomes: PotentialOutcomes, away: BoolArray) -> PotentialOutcomes:
    """Return outcomes where some users, (n,) bool, never come: nothing happens to them."""

    def here(measure: FloatArray) -> FloatArray:
        return np.where(away[:, None], 0.0, measure)

    return PotentialOutcomes(
        conversion=here(outcomes.conversion),
        spend=here(outcomes.spend),
        cost=here(outcomes.cost),
    )
