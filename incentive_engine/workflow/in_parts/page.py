"""The short page of a plan of which only sums are at hand."""

from __future__ import annotations

from collections.abc import Iterable

from incentive_engine.domain import REASONS
from incentive_engine.insight.evaluation.model_quality import model_quality
from incentive_engine.insight.groups import share_of
from incentive_engine.insight.pages.advice import PlanTotals, advise_on
from incentive_engine.insight.pages.disclosure import public_rules
from incentive_engine.insight.pages.money import at_risk_of, returns_of
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
    plan: PlanTotals,
    sums: PlanSums,
    record: RunRecord,
    *,
    warnings: Iterable[Message],
) -> ReportContent:
    """Return what a page shows of a plan by its certificate and what its rows add up to."""
    policy, certificate = plan.policy, plan.certificate
    budget = certificate["budget"]
    return ReportContent(
        campaign=policy.name,
        currency=policy.currency,
        advice=advise_on(plan),
        headline=_headline(plan, sums.spend),
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
            evaluated=None if plan.gain is None else plan.gain.cost,
            correction=budget.get("evaluated", {}).get("correction", 1.0),
        ),
        tables=(),
        reasons=tuple(
            ReasonRow(reason=reason, users=count, share=share_of(count, certificate["users"]))
            for reason, count in zip(REASONS, sums.reasons, strict=True)
        ),
        limits=tuple(limit_row(policy, entry) for entry in certificate["limits"]),
        quality=model_quality(plan.quality),
        rules=public_rules(policy),
        smallest=SMALLEST,
        returns=returns_of(certificate),
        at_risk=at_risk_of(certificate),
        notes=(*_warned(warnings), *_missing(sums), *_held(record)),
        facts=facts_of(record),
    )


def _headline(plan: PlanTotals, spend_by_scores: float | None) -> Headline:
    gain, cost = plan.gain, plan.cost
    conversions = Estimate(value=plan.conversions) if gain is None else gain.conversions
    spend = None if spend_by_scores is None else Estimate(value=spend_by_scores)
    spend = spend if gain is None else gain.spend
    return Headline(
        conversions=None if gain is None else gain.conversions,
        spend=None if gain is None else gain.spend,
        conversions_by_scores=plan.conversions,
        spend_by_scores=spend_by_scores,
        cost=cost,
        cost_per_conversion=cost_per(cost, conversions),
        roi=per_cost(spend, cost),
        users=plan.certificate["users"],
        treated=plan.certificate["treated"],
        profit=None if gain is None else gain.profit,
        trial_rows=None if gain is None else gain.rows,
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
