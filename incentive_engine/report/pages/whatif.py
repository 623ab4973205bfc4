"""The budget-response curve and the variants of a campaign as one page that opens offline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from incentive_engine.errors import Fault
from incentive_engine.language import Code, Language, Message, language
from incentive_engine.report import words
from incentive_engine.report.content import LimitRow, StatedObjective
from incentive_engine.report.figures.charts import Axis, Chart, Series, colour_of, figure
from incentive_engine.report.frame import render_page
from incentive_engine.report.returns import Safety
from incentive_engine.report.titles import Named, Titles


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRow:
    """One variant at one budget; figures are None where there is no plan, or no such figure."""

    variant: str
    budget: float
    value: float | None = None
    bound: float | None = None
    conversions: float | None = None
    spend: float | None = None
    cost: float | None = None
    face: float | None = None
    treated: int | None = None
    roi: float | None = None
    marginal_return: float | None = None
    price: float | None = None
    conflict: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantRow:
    """A variant and what it changes."""

    name: str
    settings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRow:
    """Users of a group who go from one offer to another.

    Attributes
    ----------
    origin, target
        Offer ids, `none` or `holdout`.
    conversions, cost
        By how much their sums of scores change.
    """

    group: str
    origin: str
    target: str
    users: int
    conversions: float
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveTable:
    """The moves of one variant at one budget, largest first."""

    variant: str
    column: str
    users: int
    """How many users move."""
    rows: tuple[MoveRow, ...]
    more: int
    """How many further kinds of moves moves.csv holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitCostRow:
    """One limit and what it costs."""

    variant: str
    limit: LimitRow
    gain: float | None
    rule: str
    rule_gain: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfContent:
    """The whole page."""

    campaign: str
    currency: str
    aim: StatedObjective
    users: int
    focus: float
    """The budget that moves, limits and safety are shown for."""
    variants: tuple[VariantRow, ...]
    """The policy as written first."""
    points: tuple[PointRow, ...]
    shown: tuple[float, ...]
    """The budgets of the side-by-side table."""
    moves: tuple[MoveTable, ...]
    limits: tuple[LimitCostRow, ...]
    safety: Safety | None
    mandate: float | None
    """The marginal return asked for."""
    within: float | None
    """The largest of the budgets whose marginal return reaches it, as written."""
    notes: tuple[Message, ...]


def render_whatif(
    content: WhatIfContent, *, lang: Code = "en", titles: Titles | None = None
) -> str:
    """Return the page as HTML: no file, script or font from elsewhere.

    Parameters
    ----------
    titles
        What people read in place of ids.
    """
    t, name_of = language(lang), Named(titles or Titles(), lang)
    content = replace(content, currency=t.unit(content.currency))
    names = [variant.name for variant in content.variants]
    # what a user may have instead of an offer
    not_offers = ("none", "holdout")
    return render_page(
        "whatif.html.j2",
        lang=lang,
        content=content,
        aim=words.aim(t, content.aim),
        charts=_charts(t, content),
        colours={name: colour_of(position) for position, name in enumerate(names)},
        rows={
            budget: [point for point in content.points if point.budget == budget]
            for budget in content.shown
        },
        base={point.budget: point for point in content.points if point.variant == names[0]},
        significant=t.significant,
        pool=lambda budget: t("budget.amount", currency=content.currency, amount=t.brief(budget)),
        conflict=lambda point: " ".join(fault.text(t.code) for fault in point.conflict),
        choice=lambda name: t(f"whatif.{name}") if name in not_offers else name_of.offer(name),
        column=name_of.column,
        group=name_of.value,
        bound=lambda limit: words.bound(t, limit),
        usage=lambda limit: words.amount(t, limit.usage, limit),
        room=lambda limit: words.room(t, limit),
    )


def _charts(t: Language, content: WhatIfContent) -> list[Markup]:
    if len({point.budget for point in content.points if point.value is not None}) < 2:
        return []
    wanted: Sequence[tuple[str, Callable[[PointRow], float | None]]] = (
        ("value", lambda point: point.value),
        ("price", lambda point: None if point.price is None else 1000 * point.price),
        ("marginal", lambda point: point.marginal_return),
        ("roi", lambda point: point.roi),
    )
    aim = words.aim(t, content.aim)
    charts = []
    for name, height in wanted:
        lines = [
            _line(content, variant.name, height, colour_of(position))
            for position, variant in enumerate(content.variants)
        ]
        chart = Chart(
            caption=t(f"whatif.{name}_plot", aim=aim, currency=content.currency),
            x=Axis(title=t("chart.budget", currency=content.currency)),
            y=Axis(title=t(f"whatif.{name}_axis", aim=aim, currency=content.currency)),
            series=tuple(line for line in lines if line.x),
        )
        if chart.series:
            charts.append(figure(t, chart))
    return charts


def _line(
    content: WhatIfContent,
    variant: str,
    height: Callable[[PointRow], float | None],
    colour: str,
) -> Series:
    places = [
        (point.budget, up)
        for point in content.points
        if point.variant == variant and (up := height(point)) is not None
    ]
    return Series(label=variant, x=[x for x, _ in places], y=[y for _, y in places], colour=colour)
