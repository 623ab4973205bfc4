"""What a policy may say and hardly means, with what was probably meant; told by `check`."""

from __future__ import annotations

from collections.abc import Iterator

from incentive_engine.config.amounts import Bound
from incentive_engine.config.policy import Limit, Policy
from incentive_engine.domain import (
    CONVERSION,
    ISSUED,
    MONEY_MEASURES,
    OFFER_MEASURES,
    OUTCOMES,
    SPEND,
)
from incentive_engine.errors import near_name
from incentive_engine.language import Message, Text, say


# the first three a model learns from a trial
def doubts(policy: Policy) -> tuple[Message, ...]:
    """Return what a planner should look at again, each with its place."""
    return tuple(_doubts(policy))


def _known() -> tuple[str, ...]:
    """Return the measures that every policy knows; a score table may have others."""
    return (*OUTCOMES, *sorted(OFFER_MEASURES))


def _doubts(policy: Policy) -> Iterator[Message]:
    place = policy.locate(("objective", "maximise"))
    for measure, weight in policy.objective.maximise.items():
        if weight < 0 and measure in {CONVERSION, SPEND}:
            yield say("doubt.negative", place=place, measure=measure, weight=f"{weight:g}")
        if measure not in _known():
            yield _unknown(measure, place)
    for index, limit in enumerate(policy.limits):
        for measure in (limit.sum, *(limit.ratio or ())):
            if measure is not None and measure not in _known():
                yield _unknown(measure, policy.locate(("limits", index)))
        for key, bound in (("at_least", limit.at_least), ("at_most", limit.at_most)):
            if bound is not None:
                yield from _odd_bound(limit, bound, policy, policy.locate(("limits", index, key)))
    largest = max(offer.face_value for offer in policy.offers)
    if policy.budget is not None and 0 < policy.budget.amount < largest:
        amount, place = policy.budget.amount, policy.locate(("budget", "amount"))
        yield say("doubt.little", place=place, amount=f"{amount:g}", largest=f"{largest:g}")


def _unknown(measure: str, place: str) -> Message:
    measures = _known()
    if near := near_name(measure, measures):
        return say("doubt.unknown_near", place=place, measure=measure, near=near)
    return say("doubt.unknown", place=place, measure=measure, known=", ".join(measures))


def _odd_bound(limit: Limit, bound: Bound, policy: Policy, place: str) -> Iterator[Message]:
    """Yield why a bound looks like a share that lost its sign, nothing where it does not."""
    if bound.is_share or limit.sum is None or bound.value <= 0:
        return
    shown = {"place": place, "bound": str(bound)}
    budget = policy.budget.amount if policy.budget else 0.0
    # a bound on money below this part of the budget was probably meant in percent
    small = 0.001
    if limit.sum in {*MONEY_MEASURES, ISSUED} and bound.value < 1:
        unit: Text = say("doubt.users") if limit.sum == ISSUED else policy.currency
        yield say("doubt.share", **shown, unit=unit, percent=f"{100 * bound.value:.6g}")
    elif limit.sum in MONEY_MEASURES and bound.value <= min(100, small * budget):
        unit, amount = policy.currency, f"{budget:,.0f}"
        yield say("doubt.share_of", **shown, unit=unit, budget=amount, percent=str(bound))
