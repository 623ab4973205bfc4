"""What any budget brings, as the page's slider shows it."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from incentive_engine.language import Language
from incentive_engine.report import words
from incentive_engine.report.content import ReportContent
from incentive_engine.report.evidence import Response, ResponsePoint, ResponseRow
from incentive_engine.report.figures.charts import Axis, Chart, Series, figure

STEP: Final = 1_000
"""Marginal returns are given per so many currency units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One budget of the table, or one group at the slider's budget, as text."""

    label: str
    value: str
    conversions: str
    spend: str
    treated: str
    cost: str
    marginal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slider:
    """The section with the slider, as the template needs it.

    Attributes
    ----------
    data
        What the script reads, as JSON.
    low, high, step, at
        The range, in currency units, and where it starts; its ends are whole steps, so that every
        place but the plan's own is a round number.
    plain
        The value is the number of conversions, so that one of both is enough.
    """

    data: Markup
    low: str
    high: str
    step: str
    at: str
    plain: bool
    how: str
    charts: tuple[Markup, ...]
    lines: tuple[Line, ...]
    column: str
    groups: tuple[str, ...]
    has_spend: bool


def slider(t: Language, content: ReportContent) -> Slider | None:
    """Return the section, nothing where there are not two budgets to choose from."""
    response = content.response
    if response is None or len(response.points) < 2:
        return None
    low, high = response.points[0].budget, response.points[-1].budget
    if not high > low:
        return None
    amount = content.budget.amount
    at = high if amount is None else min(max(amount, low), high)
    aim = content.proof.aim
    step = round_step(high - low)
    return Slider(
        data=_data(t, content, response, at),
        low=_digits(math.ceil(low / step) * step),
        high=_digits(math.floor(high / step) * step),
        step=_digits(step),
        at=_digits(at),
        plain=not aim.weighted and aim.terms == (("conversion", 1.0),),
        how=_how(t, response, content.currency),
        charts=_charts(t, content, response, at),
        lines=tuple(_line(t, point) for point in _tabled(response)),
        column=response.column or t("budget.group"),
        groups=_names(t, response),
        has_spend=response.points[0].groups[0].spend is not None,
    )


def round_step(span: float) -> float:
    """Return the step of a slider over `span`: a round number, some hundreds of them.

    >>> round_step(330_000.0), round_step(0.5)
    (1000.0, 0.002)
    """
    rough = span / 400
    unit = 10.0 ** math.floor(math.log10(rough))
    return float(next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough * 0.999))


def _how(t: Language, response: Response, currency: str) -> str:
    if not response.exact:
        return t("budget.solved", count=len(response.points))
    return t(
        "budget.exact",
        width=t.significant(response.width or 0.0),
        currency=currency,
        error=t.tiny_percent((response.error or 0.0) / max(response.points[-1].value, 1e-300)),
    )


def _data(t: Language, content: ReportContent, response: Response, at: float) -> Markup:
    """Return the JSON; `<` is escaped, so that no name can end the script element."""
    points = response.points
    data: dict[str, Any] = {
        "exact": response.exact,
        "plan": at,
        "step": STEP,
        "budget": [_short(point.budget) for point in points],
        "spent": [_short(point.spent) for point in points],
        "value": [_short(point.value) for point in points],
        "price": _prices(points),
        "groups": [
            {"name": name, **_columns(points, position)}
            for position, name in enumerate(_names(t, response))
        ],
        "units": t.units if t.code == "zh" else [],
        "space": "" if t.code == "zh" else " ",
        "words": {
            key: t.words[f"budget.{key}"]
            for key in ("here_solved", "here_between", "here_exact", "of_plan", "same")
        }
        | {"amount": t("budget.amount", currency=content.currency, amount="{amount}")},
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - our own numbers, names escaped


def _names(t: Language, response: Response) -> tuple[str, ...]:
    """Return the groups' names, with a word for those that are not shown apart."""
    return tuple(
        ", ".join(
            t("budget.rest") if value == Response.OTHERS else value for value in name.split(", ")
        )
        for name in response.groups
    )


def _columns(points: tuple[ResponsePoint, ...], position: int) -> dict[str, list[float]]:
    rows = [point.groups[position] for point in points]
    figures = ("conversions", "spend", "treated", "cost")
    return {
        name: [_short(value) for row in rows if (value := getattr(row, name)) is not None]
        for name in figures
    }


def _prices(points: tuple[ResponsePoint, ...]) -> list[float]:
    """Return the prices; where only what is free is taken, that of the first step."""
    first = next((p.price for p in points if math.isfinite(p.price)), 0.0)
    return [_short(p.price if math.isfinite(p.price) else first) for p in points]


def _charts(
    t: Language, content: ReportContent, response: Response, at: float
) -> tuple[Markup, ...]:
    points = response.points
    aim = words.aim(t, content.proof.aim)
    lines = (
        ("value", t("budget.curve", aim=aim), aim, [point.value for point in points]),
        (
            "marginal",
            t("budget.marginal_curve", aim=aim, step=t.count(STEP), currency=content.currency),
            t("budget.marginal_axis", aim=aim, step=t.count(STEP), currency=content.currency),
            [STEP * price for price in _prices(points)],
        ),
    )
    return tuple(
        figure(
            t,
            Chart(
                caption=caption,
                x=Axis(title=t("chart.budget", currency=content.currency)),
                y=Axis(title=title),
                series=(_series(response, heights),),
                name=name,
                mark=_mark(t, response, heights, at),
                tabled=False,
            ),
        )
        for name, caption, title, heights in lines
    )


def _series(response: Response, heights: list[float]) -> Series:
    budgets = [point.budget for point in response.points]
    return Series(label="", x=budgets, y=heights, dots=not response.exact, filled=True)


def _mark(
    t: Language, response: Response, heights: list[float], at: float
) -> tuple[float, float, str]:
    height = interpolated([point.budget for point in response.points], heights, at)
    return at, height, t.significant(height)


def interpolated(x: list[float], y: list[float], at: float) -> float:
    """Return y at a place between the points, on a straight line.

    >>> interpolated([0.0, 2.0], [0.0, 10.0], 1.0)
    5.0
    """
    right = min(max(bisect_left(x, at), 1), len(x) - 1)
    left = right - 1
    share = (at - x[left]) / (x[right] - x[left]) if x[right] > x[left] else 1.0
    return y[left] + min(max(share, 0.0), 1.0) * (y[right] - y[left])


def _tabled(response: Response) -> list[ResponsePoint]:
    points = response.points
    # budgets of the table beside the slider
    tabled = 11
    if len(points) <= tabled:
        return list(points)
    last = len(points) - 1
    return [points[round(last * i / (tabled - 1))] for i in range(tabled)]


def _line(t: Language, point: ResponsePoint) -> Line:
    rows = point.groups
    price = point.price if math.isfinite(point.price) else None
    return Line(
        label=t.money(point.budget),
        value=t.number(point.value),
        conversions=t.number(_total(rows, lambda row: row.conversions)),
        spend=t.money(_total(rows, lambda row: row.spend)),
        treated=t.number(_total(rows, lambda row: row.treated), 0),
        cost=t.money(_total(rows, lambda row: row.cost)),
        marginal=t.number(None if price is None else price * STEP),
    )


def _total(
    rows: tuple[ResponseRow, ...], of: Callable[[ResponseRow], float | None]
) -> float | None:
    parts = [figure for row in rows if (figure := of(row)) is not None]
    return sum(parts) if parts else None


def _short(number: float) -> float:
    # significant digits of the figures in the page
    digits = 7
    return float(f"{number:.{digits}g}")


def _digits(number: float) -> str:
    return f"{number:.10g}"
