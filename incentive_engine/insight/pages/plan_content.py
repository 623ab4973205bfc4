"""What pages show of a plan as its certificate and its record state it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from incentive_engine.allocation.budgets.other_budget import rule_of
from incentive_engine.allocation.risk import SafetyPoint
from incentive_engine.config.policy import Limit, Policy
from incentive_engine.domain import CONVERSION, ISSUED, MONEY_MEASURES, Reason
from incentive_engine.insight.budget.chosen_pairs import share_of
from incentive_engine.insight.pages.disclosure import tests_of
from incentive_engine.insight.value.plan_gain import PlanGain
from incentive_engine.language import say
from incentive_engine.language.wording import named
from incentive_engine.report.conditions import ColumnTest, Scope
from incentive_engine.report.content import (
    BudgetUse,
    Headline,
    InputFact,
    LimitRow,
    Note,
    Proof,
    ReasonRow,
    RunFacts,
    StatedObjective,
    Unit,
)
from incentive_engine.report.returns import AtRisk, Returns, Safety, SafetyRow
from incentive_engine.report.titles import Titles
from incentive_engine.run.directory import RunRecord
from incentive_engine.stats.estimate import Estimate


def proof_of(policy: Policy, certificate: Mapping[str, Any]) -> Proof:
    """Return what a certificate proves of the plan."""
    return Proof(
        feasible=certificate["feasible"],
        value=certificate["value"],
        bound=certificate["bound"],
        gap=certificate["gap"],
        searched=_searched(certificate),
        aim=StatedObjective.of(policy.objective),
    )


def _searched(certificate: Mapping[str, Any]) -> float | None:
    """Return the gap to the integer solver's own bound; None where that is not of all plans."""
    bound = certificate["solver"].get("solver_bound")
    if bound is None:
        return None
    return float(max(bound - certificate["value"], 0.0) / max(abs(certificate["bound"]), 1e-300))


def budget_use(
    certificate: Mapping[str, Any], gain: PlanGain | None, *, correction: float
) -> BudgetUse:
    """Return what a plan uses of its budget, and what the trial says that it costs."""
    stated = {
        name: certificate["budget"][name] for name in ("amount", "basis", "spent", "spent_face")
    }
    return BudgetUse(
        **stated, evaluated=None if gain is None else gain.cost, correction=correction
    )


def headline_of(
    gain: PlanGain | None,
    *,
    conversions: float,
    spend: float | None,
    cost: float,
    users: int,
    treated: int,
) -> Headline:
    """Return what a plan brings: by the trial where there is one, and by the scores.

    Parameters
    ----------
    conversions, spend, cost
        Sums of the scores over the chosen pairs; spend is None where nobody knows it.
    """
    best = Estimate(value=conversions) if gain is None else gain.conversions
    by_scores = None if spend is None else Estimate(value=spend)
    return Headline(
        conversions=None if gain is None else gain.conversions,
        spend=None if gain is None else gain.spend,
        conversions_by_scores=conversions,
        spend_by_scores=spend,
        cost=cost,
        cost_per_conversion=_cost_per(cost, best),
        roi=_per_cost(by_scores if gain is None else gain.spend, cost),
        users=users,
        treated=treated,
        profit=None if gain is None else gain.profit,
        trial_rows=None if gain is None else gain.rows,
    )


def reason_rows(counts: Sequence[int]) -> tuple[ReasonRow, ...]:
    """Return how many users each reason decided on, by counts in the order of `Reason`."""
    users = sum(counts)
    return tuple(
        ReasonRow(reason=reason, users=count, share=share_of(count, users))
        for reason, count in zip(Reason, counts, strict=True)
    )


def missing_notes(pairs: Mapping[tuple[str, str], int]) -> Iterator[Note]:
    """Yield how many scores are missing, by measure and offer."""
    for (measure, offer), count in pairs.items():
        kind = named("measure", measure)
        yield Note(message=say("notes.missing", count=count, measure=kind, offer=offer))


def held_notes(users: int) -> Iterator[Note]:
    """Yield how many users are held out, where there are any."""
    if users:
        yield Note(message=say("notes.held", count=users))


def returns_of(certificate: Mapping[str, Any]) -> Returns:
    """Return what a certificate states of the money's return."""
    stated, mandate = certificate["returns"], certificate["mandate"]
    return Returns(
        roi=stated["roi"], marginal_roi=stated["marginal_roi"], margin=stated["margin"], **mandate
    )


def at_risk_of(certificate: Mapping[str, Any]) -> AtRisk | None:
    """Return what a certificate states of a budget at risk; None for another."""
    stated = certificate["budget"].get("at_risk")
    return None if stated is None else AtRisk(**stated)


def safety_of(points: Sequence[SafetyPoint], *, cost_error: float) -> Safety | None:
    """Return the price of safety; None where it was not asked for."""
    if not points:
        return None
    first = points[0].value
    return Safety(
        cost_error=cost_error,
        rows=tuple(
            SafetyRow(
                confidence=point.confidence,
                expected_cost=point.expected,
                value=point.value,
                conversions=point.amounts.get(CONVERSION),
                lost=(first - point.value) / first if first > 0 else 0.0,
            )
            for point in points
        ),
    )


def _cost_per(cost: float, gain: Estimate) -> Estimate | None:
    """Return cost per unit gained; an interval only where the whole gain is above zero."""
    if gain.value <= 0 or cost <= 0:
        return None
    if not gain.has_interval or gain.low <= 0:
        return Estimate(value=cost / gain.value)
    return Estimate(value=cost / gain.value, low=cost / gain.high, high=cost / gain.low)


def _per_cost(gain: Estimate | None, cost: float) -> Estimate | None:
    """Return what is gained per unit of cost; None where nothing is known or spent."""
    if gain is None or cost <= 0:
        return None
    return gain.times(1 / cost)


def titles_of(policy: Policy) -> Titles:
    """Return what pages call a policy's offers and columns."""
    offers = {offer.id: offer.title for offer in policy.offers if offer.title is not None}
    return Titles(offers=offers, columns=policy.titles)


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


def facts_of(record: RunRecord) -> RunFacts:
    """Return what a run was made from and by."""
    return RunFacts(
        inputs=tuple(
            InputFact(name=name, path=file.path, sha256=file.sha256, rows=file.rows)
            for name, file in record.inputs.items()
        ),
        seconds=tuple(record.seconds.items()),
        seed=record.seed,
        program=version("incentive-engine"),
    )
