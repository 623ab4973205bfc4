"""What the report shows, from what a run found out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from incentive_engine.data.tables.arrow import equal
from incentive_engine.domain import REASONS
from incentive_engine.insight.budget.chosen_pairs import share_of
from incentive_engine.insight.evaluation.model_quality import model_quality
from incentive_engine.insight.fairness import benefits
from incentive_engine.insight.findings import PlanFindings
from incentive_engine.insight.groups import group_tables
from incentive_engine.insight.pages.advice import advise
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
    safety_of,
)
from incentive_engine.insight.small_groups import SMALLEST
from incentive_engine.language import say
from incentive_engine.report import (
    Favoured,
    Headline,
    Note,
    ReportContent,
)
from incentive_engine.run.directory import RunRecord


def report_content(findings: PlanFindings, record: RunRecord) -> ReportContent:
    """Return the whole page's content."""
    certificate = findings.certificate
    return ReportContent(
        campaign=findings.policy.name,
        currency=findings.policy.currency,
        advice=advise(findings),
        headline=_headline(findings),
        proof=proof_of(findings.policy, certificate),
        budget=budget_use(certificate, findings.gain, correction=findings.correction.factor),
        tables=group_tables(findings),
        reasons=reason_rows(np.bincount(findings.reason, minlength=len(REASONS)).tolist()),
        limits=tuple(
            replace(row, dropped=findings.dropped.get(row.name))
            for row in (limit_row(findings.policy, entry) for entry in certificate["limits"])
        ),
        favoured=_favoured(findings),
        response=findings.response,
        holdout=findings.held,
        exploring=findings.exploring,
        ways=findings.ways,
        quality=model_quality(findings.quality),
        benefits=benefits(findings),
        rules=public_rules(findings.policy),
        smallest=SMALLEST,
        returns=returns_of(certificate),
        at_risk=at_risk_of(certificate),
        safety=safety_of(findings.view.safety, cost_error=findings.view.cost_error),
        notes=_notes(findings),
        facts=facts_of(record),
    )


def _headline(findings: PlanFindings) -> Headline:
    chosen, gain = findings.chosen, findings.gain
    conversions, cost = float(chosen.conversion.sum()), float(chosen.cost.sum())
    spend = None if chosen.spend is None else float(chosen.spend.sum())
    return headline_of(
        gain,
        conversions=conversions,
        spend=spend,
        cost=cost,
        users=findings.table.n_users,
        treated=int(chosen.treated.sum()),
    )


def _favoured(findings: PlanFindings) -> Favoured | None:
    """Return the group with the largest factor of the first table of weights."""
    tables = [factor for factor in findings.policy.objective.weight if factor.values]
    if not tables or not tables[0].values:
        return None
    factors = tables[0].values
    label = max(factors, key=lambda value: factors[value])
    member = equal(findings.table.attributes.column(tables[0].column), label)
    chosen = findings.chosen
    return Favoured(
        label=str(label),
        share_of_users=float(member.mean()),
        share_of_budget=share_of(chosen.cost[member].sum(), chosen.cost.sum()),
        share_of_conversions=share_of(chosen.conversion[member].sum(), chosen.conversion.sum()),
        conversions=float(chosen.conversion.sum()),
        conversions_unweighted=findings.unfavoured,
    )


def _notes(findings: PlanFindings) -> tuple[Note, ...]:
    notes = [Note(message=warning, warning=True) for warning in findings.input_warnings]
    if not findings.policy.holdout:
        notes.append(Note(message=say("notes.no_holdout"), warning=True))
    notes += missing_notes(findings.table.missing_pairs)
    notes += held_notes(int(findings.holdout.sum()))
    return tuple(notes)
