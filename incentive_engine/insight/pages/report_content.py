"""What the report shows, from what a run found out, or from what a plan adds up to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from incentive_engine.data.tables.arrow import equal
from incentive_engine.insight.budget.chosen_pairs import share_of
from incentive_engine.insight.evaluation.model_quality import model_quality
from incentive_engine.insight.fairness import benefits
from incentive_engine.insight.findings import PlanFindings, PlanTotals
from incentive_engine.insight.groups import group_tables
from incentive_engine.insight.pages.advice import advise
from incentive_engine.insight.pages.disclosure import public_rules
from incentive_engine.insight.pages.plan_content import (
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
    safety_of,
)
from incentive_engine.insight.params import INSIGHT
from incentive_engine.language import Message, say
from incentive_engine.report.content import Favoured, Note, ReportContent
from incentive_engine.run.directory import RunRecord


def content_of(
    plan: PlanTotals, record: RunRecord, *, warnings: Iterable[Message]
) -> ReportContent:
    """Return what a page shows of a plan by its certificate and its sums."""
    policy, certificate = plan.policy, plan.certificate
    return ReportContent(
        campaign=policy.name,
        currency=policy.currency,
        advice=advise(plan),
        headline=headline_of(
            plan.gain,
            conversions=plan.conversions,
            spend=plan.spend,
            cost=plan.cost,
            users=certificate["users"],
            treated=certificate["treated"],
        ),
        proof=proof_of(policy, certificate),
        budget=budget_use(certificate, plan.gain, correction=plan.correction),
        tables=(),
        reasons=reason_rows(plan.reasons),
        limits=tuple(limit_row(policy, entry) for entry in certificate["limits"]),
        response=plan.response,
        ways=plan.ways,
        quality=model_quality(plan.quality),
        rules=public_rules(policy),
        smallest=INSIGHT.smallest_group,
        returns=returns_of(certificate),
        at_risk=at_risk_of(certificate),
        notes=(
            *(Note(message=warning, warning=True) for warning in warnings),
            *missing_notes(plan.missing),
            *held_notes(record.holdout.users),
        ),
        facts=facts_of(record),
    )


def report_content(findings: PlanFindings, record: RunRecord) -> ReportContent:
    """Return the whole page's content."""
    unmeasured = () if findings.policy.holdout else (say("notes.no_holdout"),)
    warnings = (*findings.input_warnings, *unmeasured)
    content = content_of(findings.totals, record, warnings=warnings)
    return replace(
        content,
        tables=group_tables(findings),
        limits=tuple(
            replace(row, dropped=findings.dropped.get(row.name)) for row in content.limits
        ),
        favoured=_favoured(findings),
        holdout=findings.held,
        exploring=findings.exploring,
        benefits=benefits(findings),
        safety=safety_of(findings.view.safety, cost_error=findings.view.cost_error),
    )


def _favoured(findings: PlanFindings) -> Favoured | None:
    """Return the group with the largest factor of the first table of weights."""
    tables = [factor for factor in findings.policy.objective.weight if factor.values]
    if not tables or not tables[0].values:
        return None
    factors = tables[0].values
    label = max(factors, key=lambda value: factors[value])
    member = equal(findings.table.attributes.column(tables[0].column), label)
    chosen = findings.rows
    return Favoured(
        label=str(label),
        share_of_users=float(member.mean()),
        share_of_budget=share_of(chosen.cost[member].sum(), chosen.cost.sum()),
        share_of_conversions=share_of(chosen.conversion[member].sum(), chosen.conversion.sum()),
        conversions=float(chosen.conversion.sum()),
        conversions_unweighted=findings.unfavoured,
    )
