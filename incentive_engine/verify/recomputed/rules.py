"""What the policy and the certificate say of the users that are gone through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from incentive_engine.config.policy import Policy
from incentive_engine.domain import (
    OFFER_MEASURES,
    SPEND,
    BoolArray,
    FloatArray,
    score_column,
)

from .limits import LimitGroup
from .lots import Lots


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rules:
    """What the policy and the certificate say of all users.

    Attributes
    ----------
    groups
        The limits, the budget first.
    prices
        Limit name to the price that the certificate states.
    holdout
        (n,) bool.
    held
        (n,) float64, which share of the user's stratum is held out.
    lots
        Who explores.
    weight
        (n,) float64.
    allowed
        Offer to (n,) bool; offers that every user may have are left out.
    measures
        The measures that the score table must have.
    with_spend
        The offers whose incremental spend is known.
    """

    policy: Policy
    groups: tuple[LimitGroup, ...]
    prices: Mapping[str, float]
    holdout: BoolArray
    held: FloatArray
    lots: Lots
    weight: FloatArray
    allowed: Mapping[str, BoolArray]
    measures: tuple[str, ...]
    with_spend: frozenset[str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the score table that are looked at."""
        named = [
            score_column(name, offer)
            for offer in self.policy.offer_ids
            for name in self.measures_of(offer)
        ]
        return tuple(named)

    def measures_of(self, offer: str) -> tuple[str, ...]:
        """Return the measures that the score table has of an offer."""
        spend = (SPEND,) if offer in self.with_spend and SPEND not in self.measures else ()
        return (*self.measures, *spend)


def rules_of_rows(rules: Rules, rows: slice) -> Rules:
    """Return the rules of some users, who count from the first of them."""
    return replace(
        rules,
        groups=tuple(
            group if group.part is None else replace(group, part=group.part[rows])
            for group in rules.groups
        ),
        holdout=rules.holdout[rows],
        held=rules.held[rows],
        lots=replace(rules.lots, drawn=rules.lots.drawn[rows], word=rules.lots.word[rows]),
        weight=rules.weight[rows],
        allowed={offer: may[rows] for offer, may in rules.allowed.items()},
    )


def stored_measures(policy: Policy) -> tuple[str, ...]:
    """Return the measures that a policy needs from the score table."""
    return tuple(name for name in policy.measures if name not in OFFER_MEASURES)
