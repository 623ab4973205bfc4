"""What the report shows, from what a run found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

from incentive_engine.allocation import rule_of
from incentive_engine.config.policy import Limit, Policy
from incentive_engine.data.tables.arrow import equal
from incentive_engine.domain import ISSUED, MONEY_MEASURES, REASONS
from incentive_engine.insight.evaluation.model_quality import model_quality
from incentive_engine.insight.fairness import benefits
from incentive_engine.insight.findings import PlanFindings
from incentive_engine.insight.groups import group_tables, share_of
from incentive_engine.insight.pages.advice import advise
from incentive_engine.insight.pages.disclosure import public_rules, tests_of
from incentive_engine.insight.pages.money import at_risk_of, returns_of, safety_of
from incentive_engine.insight.small_groups import SMALLEST
from incentive_engine.language import named, say
from incentive_engine.report import (
    BudgetUse,
    ColumnTest,
    Estimate,
    Favoured,
    Headline,
    InputFact,
    LimitRow,
    Note,
    Proof,
    ReasonRow,
    ReportContent,
    RunFacts,
    Scope,
    StatedObjective,
    Titles,
    Unit,
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
        proof=Proof(
            feasible=certificate["feasible"],
            value=certificate["value"],
            bound=certificate["bound"],
            gap=certificate["gap"],
            searched=searched(certificate),
            aim=aim_of(findings.policy),
        ),
        budget=BudgetUse(
            **{
                name: certificate["budget"][name]
                for name in ("amount", "basis", "spent", "spent_face")
            },
            evaluated=None if findings.gain is None else findings.gain.cost,
            correction=findings.correction.factor,
        ),
        tables=group_tables(findings),
        reasons=_reasons(findings),
        limits=tuple(
            replace(row, dropped=findings.dropped.get(row.name))
            for row in _limits(findings.policy, certificate["limits"])
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


def searched(certificate: Mapping[str, Any]) -> float | None:
    """Return the gap to the integer solver's own bound; None where that is not of all plans."""
    bound = certificate["solver"].get("solver_bound")
    if bound is None:
        return None
    return float(max(bound - certificate["value"], 0.0) / max(abs(certificate["bound"]), 1e-300))


def _headline(findings: PlanFindings) -> Headline:
    chosen, gain = findings.chosen, findings.gain
    conversions, cost = float(chosen.conversion.sum()), float(chosen.cost.sum())
    spend = None if chosen.spend is None else float(chosen.spend.sum())
    best = Estimate(value=conversions) if gain is None else gain.conversions
    by_scores = None if spend is None else Estimate(value=spend)
    best_spend = by_scores if gain is None else gain.spend
    return Headline(
        conversions=best if gain else None,
        spend=best_spend if gain else None,
        conversions_by_scores=conversions,
        spend_by_scores=spend,
        cost=cost,
        cost_per_conversion=cost_per(cost, best),
        roi=per_cost(best_spend, cost),
        users=findings.table.n_users,
        treated=int(chosen.treated.sum()),
        profit=gain.profit if gain else None,
        trial_rows=gain.rows if gain else None,
    )


def cost_per(cost: float, gain: Estimate) -> Estimate | None:
    """Return cost per unit gained; an interval only where the whole gain is above zero."""
    if gain.value <= 0 or cost <= 0:
        return None
    if not gain.has_interval or gain.low <= 0:
        return Estimate(value=cost / gain.value)
    return Estimate(value=cost / gain.value, low=cost / gain.high, high=cost / gain.low)


def per_cost(gain: Estimate | None, cost: float) -> Estimate | None:
    """Return what is gained per unit of cost; None where nothing is known or spent."""
    if gain is None or cost <= 0:
        return None
    return gain.times(1 / cost)


def titles_of(policy: Policy) -> Titles:
    """Return what pages call a policy's offers and columns."""
    offers = {offer.id: offer.title for offer in policy.offers if offer.title is not None}
    return Titles(offers=offers, columns=policy.titles)


def aim_of(policy: Policy) -> StatedObjective:
    """Return what is maximised."""
    objective = policy.objective
    return StatedObjective(
        terms=tuple(objective.maximise.items()), weighted=bool(objective.weight)
    )


def _reasons(findings: PlanFindings) -> tuple[ReasonRow, ...]:
    n = findings.table.n_users
    counts = np.bincount(findings.reason, minlength=len(REASONS)).tolist()
    return tuple(
        ReasonRow(reason=reason, users=count, share=share_of(count, n))
        for reason, count in zip(REASONS, counts, strict=True)
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


def _limits(policy: Policy, stated: list[dict[str, Any]]) -> tuple[LimitRow, ...]:
    return tuple(limit_row(policy, entry) for entry in stated)


def limit_row(policy: Policy, entry: Mapping[str, Any]) -> LimitRow:
    """Return a limit as tables show it, from its entry in the certificate."""
    name = str(entry["name"])
    rule = rule_of(name, policy)
    limit = next((limit for limit in policy.limits if limit.name == rule), None)
    shown = {**entry, **entry.get("ratio", {})}  # a ratio in its own terms, not linearised
    return LimitRow(
        name=name,
        unit=_unit(limit),
        scope=_scope(limit, name),
        report_only=bool(entry.get("report_only", False)),
        **{
            key: _number(shown.get(key))
            for key in ("at_most", "at_least", "usage", "slack", "price")
        },
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _unit(limit: Limit | None) -> Unit:
    if limit is not None and limit.is_part_of_plan:
        return "share"
    if limit is None or limit.sum in MONEY_MEASURES:
        return "money"
    if limit.ratio:
        return "ratio"
    return "count" if limit.sum == ISSUED else "number"


def _scope(limit: Limit | None, name: str) -> Scope:
    if limit is None:
        return Scope()
    tests = tests_of(limit.where)
    if limit.for_each:
        tests += (ColumnTest(column=limit.for_each, values=(name[len(limit.name) + 1 : -1],)),)
    measures = limit.ratio or (limit.sum or "",)
    return Scope(measures=measures, offers=limit.offers or (), tests=tests)


def _notes(findings: PlanFindings) -> tuple[Note, ...]:
    notes = [Note(message=warning, warning=True) for warning in findings.input_warnings]
    if not findings.policy.holdout:
        notes.append(Note(message=say("notes.no_holdout"), warning=True))
    notes += [
        Note(
            message=say(
                "notes.missing", count=count, measure=named("measure", measure), offer=offer
            )
        )
        for (measure, offer), count in findings.table.missing_pairs.items()
    ]
    if held := int(findings.holdout.sum()):
        notes.append(Note(message=say("notes.held", count=held)))
    return tuple(notes)


def facts_of(record: RunRecord) -> RunFacts:
    """Return what a run was made from and by."""
    return RunFacts(
        inputs=tuple(
            InputFact(name=name, path=part.path, sha256=part.sha256, rows=part.rows)
            for name, part in record.inputs.items()
        ),
        seconds=tuple(record.seconds.items()),
        seed=record.seed,
        program=version("incentive-engine"),
    )
