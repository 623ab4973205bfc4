"""What the page of `whatif` shows, from what its studies found out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from incentive_engine.domain import CONVERSION, COST, FACE, SPEND
from incentive_engine.insight.budget.policy_options import budget_of
from incentive_engine.insight.budget.study import Study, focus_of
from incentive_engine.insight.pages.plan_content import limit_row, safety_of
from incentive_engine.insight.params import INSIGHT
from incentive_engine.insight.whatif.movers import Move
from incentive_engine.language import Message
from incentive_engine.report.content import StatedObjective
from incentive_engine.report.pages.whatif import (
    LimitCostRow,
    MoveTable,
    PointRow,
    VariantRow,
    WhatIfContent,
)


def whatif_page(
    studies: Sequence[Study],
    budgets: Sequence[float],
    moves: Sequence[Move],
    *,
    at_least: float | None,
    notes: Sequence[Message],
) -> WhatIfContent:
    """Return the whole page's content."""
    base, focus = studies[0], focus_of(budgets)
    points = tuple(_point(each, budget) for each in studies for budget in budgets)
    return WhatIfContent(
        campaign=base.variant.policy.name,
        currency=base.variant.policy.currency,
        aim=StatedObjective.of(base.variant.policy.objective),
        users=base.table.n_users,
        focus=focus,
        variants=tuple(
            VariantRow(name=each.variant.name, settings=each.variant.settings) for each in studies
        ),
        points=points,
        shown=_shown(budgets),
        moves=tuple(_moves(each.variant.name, moves, focus) for each in studies[1:]),
        limits=tuple(row for each in studies for row in _limits(each, focus)),
        safety=safety_of(base.safety, cost_error=budget_of(base.variant.policy).forecast_error),
        mandate=at_least,
        within=_within(points, base.variant.name, at_least),
        notes=tuple(notes),
    )


def _shown(budgets: Sequence[float]) -> tuple[float, ...]:
    """Return some of the budgets, first, middle and last among them."""
    # budgets of the side-by-side table; more would not be read
    shown = 10
    if len(budgets) <= shown:
        return tuple(budgets)
    last = len(budgets) - 1
    places = {round(last * step / (shown - 1)) for step in range(shown)}
    return tuple(budgets[i] for i in sorted(places | {len(budgets) // 2}))


def _within(points: Sequence[PointRow], variant: str, at_least: float | None) -> float | None:
    good = [
        point.budget
        for point in points
        if at_least is not None
        and point.variant == variant
        and point.marginal_return is not None
        and point.marginal_return >= at_least
    ]
    return max(good, default=None)


def _point(each: Study, budget: float) -> PointRow:
    point, name = each.points.get(budget), each.variant.name
    if point is None:
        return PointRow(variant=name, budget=budget, conflict=each.refusals[budget])
    if not point.feasible:
        return PointRow(variant=name, budget=budget, conflict=point.conflict)
    return PointRow(
        variant=name,
        budget=budget,
        value=point.value,
        bound=point.bound,
        conversions=point.amounts.get(CONVERSION),
        spend=point.amounts.get(SPEND),
        cost=point.amounts.get(COST),
        face=point.amounts.get(FACE),
        treated=round(point.treated),
        roi=point.roi,
        marginal_return=point.marginal_return,
        price=point.price,
    )


def _moves(variant: str, moves: Sequence[Move], budget: float) -> MoveTable:
    mine = [move for move in moves if move.variant == variant and move.budget == budget]
    mine.sort(key=lambda move: -move.users)
    # moves of a variant that are shown
    shown = [move for move in mine[:20] if move.users >= INSIGHT.smallest_group]
    return MoveTable(
        variant=variant,
        column=mine[0].column if mine else "",
        users=sum(move.users for move in mine),
        rows=tuple(shown),
        more=len(mine) - len(shown),
    )


def _limits(each: Study, budget: float) -> Iterator[LimitCostRow]:
    """Yield the limits that cost something, and those that the policy's own page would show."""
    for limit in each.limits:
        if limit.budget == budget and not limit.report.report_only and limit.report.price:
            yield LimitCostRow(
                variant=each.variant.name,
                limit=limit_row(each.variant.policy, limit.report.to_dict()),
                gain=limit.gain,
                rule=limit.rule,
                rule_gain=limit.rule_gain,
            )
