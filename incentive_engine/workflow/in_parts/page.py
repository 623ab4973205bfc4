"""The short page of a plan of which only sums are at hand."""

from __future__ import annotations

from collections.abc import Iterable

from incentive_engine.insight.evaluation.model_quality import model_quality
from incentive_engine.insight.pages.advice import PlanTotals, advise_on
from incentive_engine.insight.pages.disclosure import public_rules
from incentive_engine.insight.pages.stated import (
    at_risk_of,
    budget_use,
    facts_of,
    headline_of,
    held_notes,
    limit_row,
    missing_notes,
    proof_of,
    reason_rows,
    returns_of,
)
from incentive_engine.insight.small_groups import SMALLEST
from incentive_engine.language import Message
from incentive_engine.report import (
    Note,
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
    return ReportContent(
        campaign=policy.name,
        currency=policy.currency,
        advice=advise_on(plan),
        headline=headline_of(
            plan.gain,
            conversions=plan.conversions,
            spend=sums.spend,
            cost=plan.cost,
            users=certificate["users"],
            treated=certificate["treated"],
        ),
        proof=proof_of(policy, certificate),
        budget=budget_use(
            certificate,
            plan.gain,
            correction=certificate["budget"].get("evaluated", {}).get("correction", 1.0),
        ),
        tables=(),
        reasons=reason_rows(sums.reasons),
        limits=tuple(limit_row(policy, entry) for entry in certificate["limits"]),
        quality=model_quality(plan.quality),
        rules=public_rules(policy),
        smallest=SMALLEST,
        returns=returns_of(certificate),
        at_risk=at_risk_of(certificate),
        notes=(
            *(Note(message=warning, warning=True) for warning in warnings),
            *missing_notes(sums.missing),
            *held_notes(record.holdout.users),
        ),
        facts=facts_of(record),
    )
