"""Several lines over the budget as one SVG, drawn here so that no plotting library loads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from incentive_engine.language import Language

from .curve import BOTTOM, GRID, HEIGHT, LEFT, MUTED, RIGHT, TOP, WIDTH, ticks

COLOURS: Final = ("#0b5a8a", "#c2410c", "#17693a", "#7c3aed", "#b45309", "#66717f")
MANY: Final = 16
"""Points beyond which a line shows no dots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One variant: its points by rising x, unknown ones left out."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How numbers become places on the drawing."""

    left: float
    right: float
    low: float
    high: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point lies."""
        across = (x - self.left) / (self.right - self.left) * (WIDTH - LEFT - RIGHT)
        up = (y - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)
        return round(LEFT + across, 2), round(HEIGHT - BOTTOM - up, 2)


def colour_of(position: int) -> str:
    """Return the colour of the line at a position; they repeat when there are many."""
    return COLOURS[position % len(COLOURS)]


def draw_lines(t: Language, lines: Sequence[Line], *, label: str) -> str:
    """Return a plot of lines as an ``<svg>`` element; empty without points.

    Both axes start at zero unless values are negative, so that the shape does not mislead.
    """
    scale = _scale(lines)
    if scale is None:
        return ""
    parts = [
        (
            f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" font-size="11" '
            f'aria-label="{escape(label)}" xmlns="http://www.w3.org/2000/svg">'
        ),
        *_grid(t, scale),
    ]
    for position, line in enumerate(lines):
        parts += _line(line, scale, colour_of(position))
    return "\n".join([*parts, "</svg>"])


def _scale(lines: Sequence[Line]) -> Scale | None:
    across = [x for line in lines for x in line.x]
    heights = [y for line in lines for y in line.y]
    if not across:
        return None
    low, high = min(0.0, *heights), max(0.0, *heights)
    return Scale(
        left=0.0,
        right=max(across) * 1.04 or 1.0,
        low=low * 1.16,
        high=high * 1.16 if high > low else 1.0,
    )


def _grid(t: Language, scale: Scale) -> Iterator[str]:
    for value in ticks(scale.low, scale.high):
        _, y = scale.place(0.0, value)
        yield f'<path d="M{LEFT:g} {y}H{WIDTH - RIGHT:g}" stroke="{GRID}" fill="none"/>'
        yield (
            f'<text x="{LEFT - 6:g}" y="{y + 4:g}" text-anchor="end" fill="{MUTED}">'
            f"{t.compact(value)}</text>"
        )
    for value in ticks(scale.left, scale.right):
        x, _ = scale.place(value, scale.low)
        yield (
            f'<text x="{x}" y="{HEIGHT - BOTTOM + 17:g}" text-anchor="middle" fill="{MUTED}">'
            f"{t.compact(value)}</text>"
        )


def _line(line: Line, scale: Scale, colour: str) -> Iterator[str]:
    places = [scale.place(x, y) for x, y in zip(line.x, line.y, strict=True)]
    path = " ".join(f"{x} {y}" for x, y in places)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    if len(places) <= MANY:
        yield from (f'<circle cx="{x}" cy="{y}" r="2.5" fill="{colour}"/>' for x, y in places)
