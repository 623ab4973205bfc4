"""The short page of a plan of which only sums are at hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from incentive_engine.config import Policy
from incentive_engine.domain import MICROS, REASONS
from incentive_engine.insight.groups import share_of
from incentive_engine.insight.pages.advice import by_scores
from incentive_engine.insight.pages.disclosure import public_rules
from incentive_engine.insight.pages.money import returns_of
from incentive_engine.insight.pages.report_content import (
    aim_of,
    cost_per,
    facts_of,
    limit_row,
    per_cost,
    searched,
)
from incentive_engine.insight.small_groups import SMALLEST
from incentive_engine.language import Message, named, say
from incentive_engine.report import (
    Advice,
    BudgetUse,
    Estimate,
    Headline,
    Note,
    Proof,
    ReasonRow,
    ReportContent,
)
from incentive_engine.run.directory import RunRecord
from incentive_engine.workflow.in_parts.rows import PlanSums


def short_content(
    policy: Policy,
    certificate: Mapping[str, Any],
    sums: PlanSums,
    record: RunRecord,
    *,
    warnings: Iterable[Message],
) -> ReportContent:
    """Return what a page shows of a plan by its certificate and what its rows add up to."""
    budget = certificate["budget"]
    return ReportContent(
        campaign=policy.name,
        currency=policy.currency,
        advice=advice_of(policy, certificate, sums),
        headline=_headline(certificate, sums),
        proof=Proof(
            feasible=certificate["feasible"],
            value=certificate["value"],
            bound=certificate["bound"],
            gap=certificate["gap"],
            searched=searched(certificate),
            aim=aim_of(policy),
        ),
        budget=BudgetUse(
            amount=budget["amount"],
            basis=budget["basis"],
            spent=budget["spent"],
            spent_face=budget["spent_face"],
        ),
        tables=(),
        reasons=tuple(
            ReasonRow(reason=reason, users=count, share=share_of(count, certificate["users"]))
            for reason, count in zip(REASONS, sums.reasons, strict=True)
        ),
        limits=tuple(limit_row(policy, entry) for entry in certificate["limits"]),
        rules=public_rules(policy),
        smallest=SMALLEST,
        returns=returns_of(certificate),
        notes=(*_warned(warnings), *_missing(sums), *_held(record)),
        facts=facts_of(record),
    )


def advice_of(policy: Policy, certificate: Mapping[str, Any], sums: PlanSums) -> Advice:
    """Return what to do with a plan that no trial speaks for."""
    kind: Advice.Kind = "stop"
    verdict = say("advice.nobody")
    if certificate["treated"]:
        kind, verdict = by_scores(sums.conversion, sums.cost_micros / MICROS, policy.currency)
    nobody = [
        offer for offer, count in zip(policy.offer_ids, sums.offers, strict=True) if not count
    ]
    return Advice(kind=kind, verdict=verdict, trial="none", unreached=tuple(nobody))


def _headline(certificate: Mapping[str, Any], sums: PlanSums) -> Headline:
    cost = sums.cost_micros / MICROS
    spend = None if sums.spend is None else Estimate(value=sums.spend)
    return Headline(
        conversions=None,
        spend=None,
        conversions_by_scores=sums.conversion,
        spend_by_scores=sums.spend,
        cost=cost,
        cost_per_conversion=cost_per(cost, Estimate(value=sums.conversion)),
        roi=per_cost(spend, cost),
        users=certificate["users"],
        treated=certificate["treated"],
    )


def _warned(warnings: Iterable[Message]) -> Iterable[Note]:
    return (Note(message=warning, warning=True) for warning in warnings)


def _missing(sums: PlanSums) -> Iterable[Note]:
    for (measure, offer), count in sums.missing.items():
        kind = named("measure", measure)
        yield Note(message=say("notes.missing", count=count, measure=kind, offer=offer))


def _held(record: RunRecord) -> Iterable[Note]:
    if record.holdout.users:
        yield Note(message=say("notes.held", count=record.holdout.users))
