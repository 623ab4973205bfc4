"""The budget curve as SVG text.

Drawn here, because loading a plotting library takes longer than all else that the page needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from .formats import compact

MUTED: Final = "#66717f"
GRID: Final = "#e3e7ec"
PLAN: Final = "#0b5a8a"
MARK: Final = "#c2410c"

WIDTH, HEIGHT = 460.0, 270.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 16.0, 26.0
TICKS: Final = 5
"""Steps between gridlines, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line over the budget, with the plan's own point.

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
    """

    x: Sequence[float]
    y: Sequence[float]
    at: tuple[float, float] | None
    mark: str
    label: str


def draw(curve: Curve) -> str:
    """Return a line plot as an ``<svg>`` element that takes its column's width.

    Both axes start at zero unless values are negative, so that the shape does not mislead.
    """
    parts = [
        (
            f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" font-size="11" '
            f'aria-label="{escape(curve.label)}" xmlns="http://www.w3.org/2000/svg">'
        ),
        *_axes(curve),
        *_line(curve),
        *_mark(curve),
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


def _range(values: Sequence[float], *, room: float) -> tuple[float, float]:
    low, high = min(0.0, *values), max(0.0, *values)
    return low * room, high * room if high > low else 1.0


def _place(curve: Curve, x: float, y: float) -> tuple[float, float]:
    (left, right), (low, high) = _range(curve.x, room=1.04), _range(curve.y, room=1.16)
    across = (x - left) / (right - left) * (WIDTH - LEFT - RIGHT)
    up = (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
    return round(LEFT + across, 2), round(HEIGHT - BOTTOM - up, 2)


def _axes(curve: Curve) -> Iterator[str]:
    floor = HEIGHT - BOTTOM
    for value in ticks(*_range(curve.y, room=1.16)):
        _, y = _place(curve, 0.0, value)
        yield f'<path d="M{LEFT:g} {y}H{WIDTH - RIGHT:g}" stroke="{GRID}" fill="none"/>'
        yield (
            f'<text x="{LEFT - 6:g}" y="{y + 4:g}" text-anchor="end" fill="{MUTED}">'
            f"{compact(value)}</text>"
        )
    for value in ticks(*_range(curve.x, room=1.04)):
        x, _ = _place(curve, value, 0.0)
        yield (
            f'<text x="{x}" y="{floor + 17:g}" text-anchor="middle" fill="{MUTED}">'
            f"{compact(value)}</text>"
        )


def _line(curve: Curve) -> Iterator[str]:
    places = [_place(curve, x, y) for x, y in zip(curve.x, curve.y, strict=True)]
    path = " ".join(f"{x} {y}" for x, y in places)
    _, ground = _place(curve, 0.0, 0.0)
    closed = f"M{places[0][0]} {ground}L{path}L{places[-1][0]} {ground}Z"
    yield f'<path d="{closed}" fill="{PLAN}" fill-opacity="0.07"/>'
    yield f'<path d="M{path}" fill="none" stroke="{PLAN}" stroke-width="2"/>'
    yield from (f'<circle cx="{x}" cy="{y}" r="2.5" fill="{PLAN}"/>' for x, y in places)


def _mark(curve: Curve) -> Iterator[str]:
    """Mark a point; the text stands on the side where the line is lower."""
    if curve.at is None:
        return
    x, y = _place(curve, *curve.at)
    rising = curve.y[-1] > curve.y[0]
    anchor, shift = ("end", -8) if rising else ("start", 8)
    floor = HEIGHT - BOTTOM
    yield f'<path d="M{x} {y}V{floor:g}" stroke="{MARK}" stroke-dasharray="1 2"/>'
    yield f'<circle cx="{x}" cy="{y}" r="4.5" fill="{MARK}" stroke="white"/>'
    yield (
        f'<text x="{x + shift:g}" y="{y - 7:g}" text-anchor="{anchor}" fill="{MARK}">'
        f"{escape(curve.mark)}</text>"
    )
