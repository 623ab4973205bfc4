"""What a shop has to publish about a promotion, as far as the policy says it."""

from __future__ import annotations

from incentive_engine.config.conditions import Range, Where
from incentive_engine.config.offer import Offer
from incentive_engine.config.policy import Limit, Policy
from incentive_engine.domain import ISSUED
from incentive_engine.report.conditions import ColumnTest, PublicOffer, PublicRules


def public_rules(policy: Policy) -> PublicRules:
    """Return object, conditions, period and funding of a policy's offers."""
    return PublicRules(
        offers=tuple(_offer(policy, offer) for offer in policy.offers),
        everyone=policy.assignment == "exactly_one",
        criteria=tuple(dict.fromkeys(factor.column for factor in policy.objective.weight)),
        holdout=policy.holdout or 0.0,
    )


def _offer(policy: Policy, offer: Offer) -> PublicOffer:
    tests: tuple[ColumnTest, ...] = ()
    for rule in policy.eligibility:
        if offer.id in rule.offers:
            tests += tests_of(rule.where)
    return PublicOffer(
        name=offer.id,
        face_value=offer.face_value,
        min_spend=offer.min_spend,
        tests=tests,
        valid_from=offer.valid_from,
        valid_to=offer.valid_to,
        funder=offer.funder,
        stock=_stock(policy.limits, offer),
    )


def _stock(limits: tuple[Limit, ...], offer: Offer) -> int | None:
    """Return how many of an offer there are, by the limits on it alone."""
    bounds = [
        limit.at_most.value
        for limit in limits
        if limit.sum == ISSUED
        and limit.offers == (offer.id,)
        and not (limit.where or limit.for_each or limit.report_only)
        and limit.at_most is not None
        and not limit.at_most.is_share
    ]
    return int(min(bounds)) if bounds else None


def tests_of(where: Where) -> tuple[ColumnTest, ...]:
    """Return what a `where` asks of users."""
    return tuple(
        ColumnTest(column=column, at_least=condition.at_least, below=condition.below)
        if isinstance(condition, Range)
        else ColumnTest(column=column, values=tuple(str(value) for value in condition))
        for column, condition in where.items()
    )
