"""The text that a shop has to publish about a promotion."""

from __future__ import annotations

from collections.abc import Iterator

from incentive_engine.language import Language
from incentive_engine.report.conditions import PublicOffer, PublicRules

from . import words
from .content import ReportContent


def rules_text(t: Language, content: ReportContent) -> str:
    """Return object, conditions, period and funding; what the policy leaves open in brackets."""
    rules = content.rules
    if rules is None:
        return ""
    return "\n".join(_lines(t, content, rules))


def _lines(t: Language, content: ReportContent, rules: PublicRules) -> Iterator[str]:
    yield t("rules.heading", campaign=content.campaign)
    criteria = t("rules.criteria", columns=t.listed(rules.criteria)) if rules.criteria else ""
    yield t("rules.object_all" if rules.everyone else "rules.object", criteria=criteria)
    if rules.holdout:
        yield t("rules.holdout", share=t.percent(rules.holdout))
    yield t("rules.conditions")
    yield from (f"- {_conditions(t, offer, content.currency)}" for offer in rules.offers)
    yield t("rules.period")
    yield from (f"- {_period(t, offer)}" for offer in rules.offers)
    yield _funding(t, content, rules)
    yield t("rules.contact")


def _conditions(t: Language, offer: PublicOffer, currency: str) -> str:
    key = "rules.offer_any" if offer.min_spend is None else "rules.offer"
    sentence = t(
        key,
        name=offer.name,
        value=_plain(t, offer.face_value),
        currency=currency,
        min_spend=_plain(t, offer.min_spend),
    )
    if offer.tests:
        sentence += t("rules.only", tests=words.conditions(t, offer.tests))
    return (
        sentence
        if offer.stock is None
        else sentence + t("rules.stock", count=t.count(offer.stock))
    )


def _plain(t: Language, amount: float | None) -> str:
    """Return an amount as a shop writes it: without cents where there are none."""
    return t.number(amount, 0 if amount is not None and float(amount).is_integer() else 2)


def _period(t: Language, offer: PublicOffer) -> str:
    start, end = (moment and t.moment(moment) for moment in (offer.valid_from, offer.valid_to))
    key = "from_to" if start and end else "from" if start else "to" if end else "always"
    return t(f"rules.{key}", name=offer.name, start=start, end=end)


def _funding(t: Language, content: ReportContent, rules: PublicRules) -> str:
    named = dict.fromkeys(offer.funder or t("rules.funder_unknown") for offer in rules.offers)
    funders = t.listed(tuple(named))
    amount = content.budget.amount
    if amount is None:
        return t("rules.funding_open", funders=funders)
    return t("rules.funding", funders=funders, amount=_plain(t, amount), currency=content.currency)
