"""Plots as SVG text.

Drawn here, because loading a plotting library takes longer than all else that the page needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from incentive_engine.language import Language

MUTED: Final = "#66717f"
GRID: Final = "#e3e7ec"
PLAN: Final = "#0b5a8a"
MARK: Final = "#c2410c"
WIDTH, HEIGHT = 460.0, 270.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 16.0, 26.0
TICKS: Final = 5
"""Steps between gridlines, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """An area to draw in: its size, its margins, and the numbers at its edges."""

    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = RIGHT
    top: float = TOP
    bottom: float = BOTTOM
    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point lies."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0]) * (self.width - self.left - self.right)
        up = (y - self.y[0]) / (self.y[1] - self.y[0]) * (self.height - self.top - self.bottom)
        return round(self.left + across, 2), round(self.height - self.bottom - up, 2)

    def open(self, label: str, *, data: str = "") -> str:
        """Return the opening tag of the drawing.

        Parameters
        ----------
        label
            What it shows, for those who hear the page.
        data
            A name by which the page's script finds the drawing, with its scale.
        """
        scale = " ".join(
            f"{number:.10g}"
            for number in (
                *self.place(self.x[0], self.y[0]),
                *self.place(self.x[1], self.y[1]),
                *self.x,
                *self.y,
            )
        )
        found = f' data-plot="{data}" data-scale="{scale}"' if data else ""
        return (
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" font-size="11" '
            f'aria-label="{escape(label)}"{found} xmlns="http://www.w3.org/2000/svg">'
        )

    def axes(self, t: Language) -> Iterator[str]:
        """Yield gridlines and the numbers beside them."""
        floor = self.height - self.bottom
        for value in ticks(*self.y):
            _, y = self.place(self.x[0], value)
            yield (
                f'<path d="M{self.left:g} {y}H{self.width - self.right:g}" stroke="{GRID}" '
                f'fill="none"/><text x="{self.left - 6:g}" y="{y + 4:g}" text-anchor="end" '
                f'fill="{MUTED}">{t.compact(value)}</text>'
            )
        for value in ticks(*self.x):
            x, _ = self.place(value, self.y[0])
            yield (
                f'<text x="{x}" y="{floor + 17:g}" text-anchor="middle" fill="{MUTED}">'
                f"{t.compact(value)}</text>"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line over the budget, with the plan's own point and one that the reader moves.

    Parameters
    ----------
    x, y
        The points, by rising x.
    at
        The point to mark; None marks nothing.
    mark
        What stands beside the mark.
    label
        What the line shows, for those who hear the page.
    name
        By which the page's script finds it.
    dots
        Whether each point shows: they are what is known, and the line is not.
    """

    x: Sequence[float]
    y: Sequence[float]
    at: tuple[float, float] | None
    mark: str
    label: str
    name: str
    dots: bool


def draw(t: Language, curve: Curve) -> str:
    """Return a line plot as an ``<svg>`` element that takes its column's width.

    Both axes start at zero unless values are negative, so that the shape does not mislead.
    """
    frame = Frame(x=spread(curve.x, room=1.04), y=spread(curve.y, room=1.16))
    parts = [
        frame.open(curve.label, data=curve.name),
        *frame.axes(t),
        *_line(frame, curve),
        *_mark(frame, curve),
        "</svg>",
    ]
    return "\n".join(parts)


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers from `low` to `high`, at most six.

    >>> ticks(0.0, 640_000.0)
    [0.0, 200000.0, 400000.0, 600000.0]
    """
    rough = (high - low) / TICKS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * times for times in (1, 2, 2.5, 5, 10) if unit * times >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def spread(values: Sequence[float], *, room: float) -> tuple[float, float]:
    """Return the range of an axis that shows the values and zero."""
    low, high = min(0.0, *values), max(0.0, *values)
    return low * room, high * room if high > low else 1.0


def _line(frame: Frame, curve: Curve) -> Iterator[str]:
    places = [frame.place(x, y) for x, y in zip(curve.x, curve.y, strict=True)]
    path = " ".join(f"{x} {y}" for x, y in places)
    _, ground = frame.place(0.0, 0.0)
    closed = f"M{places[0][0]} {ground}L{path}L{places[-1][0]} {ground}Z"
    yield f'<path d="{closed}" fill="{PLAN}" fill-opacity="0.07"/>'
    yield f'<path d="M{path}" fill="none" stroke="{PLAN}" stroke-width="2"/>'
    if curve.dots:
        yield from (f'<circle cx="{x}" cy="{y}" r="2.5" fill="{PLAN}"/>' for x, y in places)


def _mark(frame: Frame, curve: Curve) -> Iterator[str]:
    """Mark a point; the text stands on the side where the line is lower."""
    if curve.at is None:
        return
    x, y = frame.place(*curve.at)
    rising = curve.y[-1] > curve.y[0]
    anchor, shift = ("end", -8) if rising else ("start", 8)
    floor = frame.height - frame.bottom
    yield f'<path d="M{x} {y}V{floor:g}" stroke="{MARK}" stroke-dasharray="1 2"/>'
    yield f'<circle cx="{x}" cy="{y}" r="4.5" fill="{MARK}" stroke="white"/>'
    yield (
        f'<text x="{x + shift:g}" y="{y - 7:g}" text-anchor="{anchor}" fill="{MARK}">'
        f"{escape(curve.mark)}</text>"
    )
    yield (
        f'<g class="now" display="none"><path d="M{x} {y}V{floor:g}" stroke="{PLAN}"/>'
        f'<circle cx="{x}" cy="{y}" r="5.5" fill="white" stroke="{PLAN}" stroke-width="2.5"/></g>'
    )
