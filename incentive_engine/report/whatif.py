"""The budget-response curve and the variants of a campaign as one page that opens offline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from .content import LimitRow
from .formats import significant
from .frame import render_page
from .language import language
from .lines import Line, colour_of, draw_lines
from .returns import Safety
from .words import amount, bound, room

ENGLISH = language("en")


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
    conflict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantRow:
    """A variant and what it changes."""

    name: str
    settings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRow:
    """Users of a group who go from one offer to another."""

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

    @property
    def bound(self) -> str:
        """What it demands."""
        return bound(ENGLISH, self.limit)

    @property
    def usage(self) -> str:
        """What is used of it."""
        return amount(ENGLISH, self.limit.usage, self.limit)

    @property
    def room(self) -> str:
        """What is left of it."""
        return room(ENGLISH, self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfContent:
    """The whole page."""

    campaign: str
    currency: str
    value_name: str
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
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One plot with what stands above it."""

    caption: str
    svg: Markup


def render_whatif(content: WhatIfContent) -> str:
    """Return the page as HTML: no file, script or font from elsewhere."""
    names = [variant.name for variant in content.variants]
    return render_page(
        "whatif.html.j2",
        content=content,
        plots=_plots(content),
        colours={name: colour_of(position) for position, name in enumerate(names)},
        rows={
            budget: [point for point in content.points if point.budget == budget]
            for budget in content.shown
        },
        base={point.budget: point for point in content.points if point.variant == names[0]},
        significant=significant,
    )


def _plots(content: WhatIfContent) -> list[Plot]:
    if len({point.budget for point in content.points if point.value is not None}) < 2:
        return []
    wanted: Sequence[tuple[str, Callable[[PointRow], float | None]]] = (
        (f"By budget: {content.value_name}", lambda point: point.value),
        (
            f"Added by the next 1,000 {content.currency}: {content.value_name}",
            lambda point: None if point.price is None else 1000 * point.price,
        ),
        (
            f"Marginal return: incremental spend per {content.currency} of the last money spent",
            lambda point: point.marginal_return,
        ),
        (f"Return: incremental spend per {content.currency}", lambda point: point.roi),
    )
    plots = []
    for caption, figure in wanted:
        lines = [_line(content, variant.name, figure) for variant in content.variants]
        if svg := draw_lines(lines, label=caption):
            plots.append(Plot(caption=caption, svg=Markup(svg)))  # noqa: S704 - our own drawing
    return plots


def _line(
    content: WhatIfContent, variant: str, figure: Callable[[PointRow], float | None]
) -> Line:
    found = [
        (point.budget, height)
        for point in content.points
        if point.variant == variant and (height := figure(point)) is not None
    ]
    return Line(label=variant, x=[x for x, _ in found], y=[y for _, y in found])
