"""The report as one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from . import formats, words
from .content import BudgetPoint, Headline, LimitRow, ReportContent
from .curve import Curve, draw
from .frame import render_page


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitLine:
    """One row of the table of limits, in words."""

    limit: LimitRow
    bound: str
    usage: str
    slack: str
    meaning: str
    binds: bool
    exceeded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One plot with what stands above it."""

    caption: str
    svg: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """Where interval, estimate and sum of scores lie on one line, in percent of its width."""

    low: float
    width: float
    value: float
    scores: float
    label: str
    """CSS that places the words under the sum of scores within the line."""


def render_report(content: ReportContent) -> str:
    """Return the page as HTML: no file, script or font from elsewhere."""
    budget = content.budget
    return render_page(
        "page.html.j2",
        content=content,
        verdict=words.verdict(content.proof),
        evidence=words.evidence(content.headline),
        favouring=words.favouring(content.favoured) if content.favoured else "",
        basis=words.BASES.get(budget.basis, budget.basis),
        used=_used(content),
        strip=_strip(content.headline),
        limits=_limits(content),
        reasons=words.REASONS,
        plots=_plots(content),
    )


def _used(content: ReportContent) -> float | None:
    """Return the share of the pool that its own basis has used up."""
    budget = content.budget
    used = budget.spent_face if budget.basis == "face" else budget.spent
    return used / budget.amount if budget.amount else None


def _strip(headline: Headline) -> Strip | None:
    found = headline.conversions
    if found is None or found.low is None or found.high is None:
        return None
    points = (0.0, found.low, found.high, found.value, headline.conversions_by_scores)
    left, right = min(points), max(points)
    if right <= left:
        return None

    def place(value: float) -> float:
        return round(1 + 98 * (value - left) / (right - left), 2)

    scores = place(headline.conversions_by_scores)
    return Strip(
        low=place(found.low),
        width=round(place(found.high) - place(found.low), 2),
        value=place(found.value),
        scores=scores,
        label=f"right:{100 - scores:.2f}%" if scores > 50 else f"left:{scores:.2f}%",
    )


def _limits(content: ReportContent) -> list[LimitLine]:
    """Return the limits: the budget, those that bind, the others, those only measured."""

    def rank(limit: LimitRow) -> int:
        if limit.report_only:
            return 3
        return 0 if limit.name == "budget" else 1 if limit.price else 2

    return [
        LimitLine(
            limit=limit,
            bound=words.bound(limit),
            usage=words.amount(limit.usage, limit),
            slack=words.room(limit),
            meaning=words.meaning(
                limit, currency=content.currency, value_name=content.proof.value_name
            ),
            binds=bool(limit.price) and not limit.report_only,
            exceeded=limit.slack is not None and limit.slack < 0,
        )
        for limit in sorted(content.limits, key=rank)
    ]


def _plots(content: ReportContent) -> list[Plot]:
    if len(content.curve) < 2:
        return []
    budgets = [point.budget for point in content.curve]
    here = _here(content.curve, content.budget.amount)
    lines = (
        (
            f"By budget: {content.proof.value_name}",
            [point.value for point in content.curve],
        ),
        (
            f"Added by the next 1,000 {content.currency}: {content.proof.value_name}",
            [1000 * point.marginal_value for point in content.curve],
        ),
    )
    return [
        Plot(
            caption=caption,
            svg=Markup(  # noqa: S704 - our own drawing, of numbers only
                draw(
                    Curve(
                        x=budgets,
                        y=heights,
                        at=None if here is None else (budgets[here], heights[here]),
                        mark="" if here is None else formats.significant(heights[here]),
                        label=caption,
                    )
                )
            ),
        )
        for caption, heights in lines
    ]


def _here(curve: Sequence[BudgetPoint], amount: float | None) -> int | None:
    """Return the position of the plan's own budget on the curve."""
    return next((i for i, point in enumerate(curve) if point.budget == amount), None)
