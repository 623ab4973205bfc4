"""The charts of every page: lines and points as SVG text, with axes, units, tooltips and a table.

Drawn here, because loading a plotting library takes longer than all else that a page needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import escape

from markupsafe import Markup

from incentive_engine.language import Language


class Colour(StrEnum):
    """What colours of a chart mean."""

    PLAN = "#0b5a8a"
    MARK = "#c2410c"
    """What is to be looked at."""
    MUTED = "#66717f"
    """Axes, and what stands behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The area of a drawing, and the margins for what stands beside the axes."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What one direction stands for.

    Attributes
    ----------
    title
        The quantity and its unit.
    names
        Of the places 0, 1, …, where they are no numbers.
    """

    title: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points by rising x, and how they look.

    Attributes
    ----------
    note
        What the label means, for the key.
    low, high
        Ends of the 95 % intervals; none where there are none.
    line
        Whether a line joins the points; otherwise intervals are bars and not a band.
    dots
        Whether each point shows; None: where there are few.
    filled
        Whether the area under the line is tinted.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    note: str = ""
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    colour: str = Colour.PLAN
    line: bool = True
    dashed: bool = False
    dots: bool | None = None
    filled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One drawing with its caption.

    Attributes
    ----------
    name
        By which the page's script finds it and moves a second mark; none: nothing moves.
    mark
        A point to mark, and what stands beside it.
    equal
        Both axes show the same range, with the diagonal on which they are equal.
    tabled
        Whether the numbers stand under it; otherwise the page has them elsewhere.
    """

    caption: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    size: Size = Size(width=460, height=290, left=46, right=14, top=26, bottom=42)
    name: str = ""
    mark: tuple[float, float, str] | None = None
    equal: bool = False
    tabled: bool = True


def colour_of(position: int) -> str:
    """Return the colour of the line at a position; they repeat when there are many."""
    palette = (Colour.PLAN, Colour.MARK, "#17693a", "#7c3aed", "#b45309", Colour.MUTED)
    return palette[position % len(palette)]


def figure(t: Language, chart: Chart) -> Markup:
    """Return a chart as a ``<figure>``: caption, key, drawing, and the numbers as a table."""
    parts = [
        f"<figure><figcaption>{escape(chart.caption)}</figcaption>",
        *_key(chart),
        draw(t, chart),
        *(_table(t, chart) if chart.tabled else ()),
        "</figure>",
    ]
    return Markup("\n".join(parts))  # noqa: S704 - our own drawing, names escaped


def draw(t: Language, chart: Chart) -> str:
    """Return the drawing as an ``<svg>`` element that takes its column's width.

    Axes of numbers include zero, so that the shape does not mislead.
    """
    frame = _frame(chart)
    parts = [_opened(chart, frame), *_grid(t, chart, frame)]
    if chart.equal:
        parts.append(_diagonal(frame))
    for series in chart.series:
        parts += [*_band(frame, series), *_line(frame, series), *_points(t, frame, chart, series)]
    if chart.mark is not None:
        parts += _marked(frame, chart, chart.mark)
    return "\n".join([*parts, "</svg>"])


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers from `low` to `high`, at most six.

    >>> ticks(0.0, 640_000.0)
    [0.0, 200000.0, 400000.0, 600000.0]
    """
    # steps between gridlines, at most
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    # a hair less is enough: tenths are no exact floats
    step = next(unit * times for times in (1, 2, 2.5, 5, 10) if unit * times >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Return the range of an axis that shows the values and zero.

    >>> spread([-50.0, 100.0]), spread([])
    ((-54.0, 108.0), (0.0, 1.0))
    """
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    # how far an axis goes on beyond the largest number
    room = 1.08
    return low * room, high * room if high > low else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """Where numbers lie on a drawing."""

    size: Size
    x: tuple[float, float]
    y: tuple[float, float]

    @property
    def floor(self) -> float:
        """Where the plot ends below."""
        return self.size.height - self.size.bottom

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point lies."""
        size = self.size
        across = (x - self.x[0]) / (self.x[1] - self.x[0]) * (size.width - size.left - size.right)
        up = (y - self.y[0]) / (self.y[1] - self.y[0]) * (size.height - size.top - size.bottom)
        return round(size.left + across, 2), round(self.floor - up, 2)

    def path(self, x: Sequence[float], y: Sequence[float]) -> str:
        """Return the corners of a line."""
        places = (self.place(*point) for point in zip(x, y, strict=True))
        return "L".join(f"{across} {down}" for across, down in places)


def _frame(chart: Chart) -> _Frame:
    heights = [
        value
        for series in chart.series
        for value in (*series.y, *series.low, *series.high)
        if math.isfinite(value)
    ]
    across = [value for series in chart.series for value in series.x]
    if chart.equal:
        both = spread([*across, *heights])
        return _Frame(size=chart.size, x=both, y=both)
    x = (-0.5, len(chart.x.names) - 0.5) if chart.x.names else spread(across)
    return _Frame(size=chart.size, x=x, y=spread(heights))


def _opened(chart: Chart, frame: _Frame) -> str:
    """Return the opening tag, with its scale where the page's script needs it."""
    (x0, y0), (x1, y1) = frame.place(frame.x[0], frame.y[0]), frame.place(frame.x[1], frame.y[1])
    scale = " ".join(f"{number:.10g}" for number in (x0, y0, x1, y1, *frame.x, *frame.y))
    data = f' data-plot="{chart.name}" data-scale="{scale}"' if chart.name else ""
    return (
        f'<svg viewBox="0 0 {chart.size.width:g} {chart.size.height:g}" role="img" '
        f'font-size="11" aria-label="{escape(chart.caption)}"{data} '
        'xmlns="http://www.w3.org/2000/svg">'
    )


def _grid(t: Language, chart: Chart, frame: _Frame) -> Iterator[str]:
    """Yield gridlines, the numbers beside them, and what the axes stand for."""
    size = chart.size
    grid = "#e3e7ec"
    for value in ticks(*frame.y):
        _, y = frame.place(frame.x[0], value)
        yield f'<path d="M{size.left:g} {y}H{size.width - size.right:g}" stroke="{grid}"/>'
        yield _text(size.left - 6, y + 4, t.compact(value), anchor="end")
    for place, name in _columns(t, chart, frame):
        x, _ = frame.place(place, frame.y[0])
        yield _text(x, frame.floor + 16, name, anchor="middle")
    yield _text(0, 12, chart.y.title, anchor="start")
    yield _text(size.width - size.right, size.height - 5, chart.x.title, anchor="end")


def _columns(t: Language, chart: Chart, frame: _Frame) -> Iterator[tuple[float, str]]:
    if chart.x.names:
        yield from enumerate(chart.x.names)
    else:
        yield from ((value, t.compact(value)) for value in ticks(*frame.x))


def _text(x: float, y: float, text: str, *, anchor: str, colour: str = Colour.MUTED) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
    )


def _diagonal(frame: _Frame) -> str:
    path = frame.path(frame.x, frame.x)
    return f'<path d="M{path}" stroke="{Colour.MUTED}" stroke-dasharray="2 3" fill="none"/>'


def _band(frame: _Frame, series: Series) -> Iterator[str]:
    """Yield the interval: a band beside a line, a bar through a single point."""
    if not series.low:
        return
    if series.line:
        there = frame.path(series.x, series.low)
        back = frame.path(series.x[::-1], series.high[::-1])
        yield f'<path d="M{there}L{back}Z" fill="{series.colour}" fill-opacity="0.12"/>'
        return
    for x, low, high in zip(series.x, series.low, series.high, strict=True):
        if math.isfinite(low) and math.isfinite(high):
            bar = frame.path([x, x], [low, high])
            yield f'<path d="M{bar}" stroke="{Colour.MARK}" stroke-width="1.5"/>'


def _line(frame: _Frame, series: Series) -> Iterator[str]:
    if not series.line:
        return
    path = frame.path(series.x, series.y)
    if series.filled:
        ground = frame.path([series.x[-1], series.x[0]], [0.0, 0.0])
        yield f'<path d="M{path}L{ground}Z" fill="{series.colour}" fill-opacity="0.07"/>'
    dashes = ' stroke-dasharray="5 4"' if series.dashed else ""
    yield f'<path d="M{path}" fill="none" stroke="{series.colour}" stroke-width="2"{dashes}/>'


def _points(t: Language, frame: _Frame, chart: Chart, series: Series) -> Iterator[str]:
    """Yield the points, or places that nobody sees, each with its numbers as a tooltip."""
    # points beyond which a line shows no dots
    dots = len(series.x) <= 16 if series.dots is None else series.dots
    radius = 3.5 if not series.line else 2.5
    for i, (across, up) in enumerate(zip(series.x, series.y, strict=True)):
        x, y = frame.place(across, up)
        if dots:
            yield f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{series.colour}"/>'
        yield (
            f'<circle cx="{x}" cy="{y}" r="8" fill="transparent">'
            f"<title>{escape(_tooltip(t, chart, series, i))}</title></circle>"
        )


def _tooltip(t: Language, chart: Chart, series: Series, i: int) -> str:
    across = _place_name(t, chart, series.x[i])
    label = f"{series.label}\n" if series.label else ""
    return f"{label}{chart.x.title}: {across}\n{chart.y.title}: {_number(t, series, i)}"


def _place_name(t: Language, chart: Chart, x: float) -> str:
    return chart.x.names[int(x)] if chart.x.names else t.significant(x, 4, trimmed=True)


def _number(t: Language, series: Series, i: int) -> str:
    """Return a point's height, with its interval where it has one."""
    text = t.significant(series.y[i], 4)
    if not series.low or not math.isfinite(series.low[i]):
        return text
    low, high = (t.significant(end, 4) for end in (series.low[i], series.high[i]))
    return t("chart.with_interval", value=text, low=low, high=high)


def _marked(frame: _Frame, chart: Chart, mark: tuple[float, float, str]) -> Iterator[str]:
    """Yield the marked point, and one that the page's script moves.

    The text stands on the side where the line is lower.
    """
    across, up, words = mark
    x, y = frame.place(across, up)
    heights = chart.series[0].y
    anchor, shift = ("end", -8) if heights[-1] > heights[0] else ("start", 8)
    yield f'<path d="M{x} {y}V{frame.floor:g}" stroke="{Colour.MARK}" stroke-dasharray="1 2"/>'
    yield f'<circle cx="{x}" cy="{y}" r="4.5" fill="{Colour.MARK}" stroke="white"/>'
    yield _text(x + shift, y - 7, words, anchor=anchor, colour=Colour.MARK)
    plan = f'stroke="{Colour.PLAN}"'
    yield (
        f'<g class="now" display="none"><path d="M{x} {y}V{frame.floor:g}" {plan}/>'
        f'<circle cx="{x}" cy="{y}" r="5.5" fill="white" {plan} stroke-width="2.5"/></g>'
    )


def _key(chart: Chart) -> Iterator[str]:
    """Yield which colour is what, where there is more than one or something to explain."""
    if len(chart.series) < 2 and not any(series.note for series in chart.series):
        return
    yield '<ul class="legend small">'
    for series in chart.series:
        kind = "key dashed" if series.dashed else "key"
        colour = f'<i class="{kind}" style="color:{series.colour}"></i>'
        note = f' <span class="muted">{escape(series.note)}</span>' if series.note else ""
        yield f"<li>{colour}{escape(series.label)}{note}</li>"
    yield "</ul>"


def _table(t: Language, chart: Chart) -> Iterator[str]:
    places = sorted({x for series in chart.series for x in series.x})
    names = [series.label or chart.y.title for series in chart.series]
    head = "".join(f"<th>{escape(name)}</th>" for name in (chart.x.title, *names))
    yield f"<details><summary>{escape(t('chart.table'))}</summary>"
    yield f'<div class="wide scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>'
    for place in places:
        cells = (_cell(t, series, place) for series in chart.series)
        yield f"<tr><td>{escape(_place_name(t, chart, place))}</td>{''.join(cells)}</tr>"
    yield "</tbody></table></div></details>"


def _cell(t: Language, series: Series, place: float) -> str:
    texts = [_number(t, series, i) for i, x in enumerate(series.x) if x == place]
    return f"<td>{escape(', '.join(texts))}</td>"
