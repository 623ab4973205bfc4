"""Plots as SVG text that stands inside the page: same numbers, same bytes; text stays text."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .formats import compact

INK: Final = "#1d2733"
MUTED: Final = "#66717f"
GRID: Final = "#e3e7ec"
PLAN: Final = "#0b5a8a"
MARK: Final = "#c2410c"

SIZE: Final = (4.6, 2.7)
"""Inches. The page scales a plot to its column, so this only sets the size of its text."""

STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "font.size": 9.0,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "text.color": INK,
    "path.simplify": False,
}

UNUSED_ID: Final = re.compile(r' id="[\w.]+_\d+"')
"""Matplotlib numbers its groups; two plots on one page would repeat them. Hashed ids, which are
the ones referred to, have no underscore and stay."""


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
    """

    x: Sequence[float]
    y: Sequence[float]
    at: tuple[float, float] | None
    mark: str
    name: str
    """Distinguishes the plot's internal ids from those of others on the page."""


def draw(curve: Curve) -> str:
    """Return a line plot as an ``<svg>`` element that takes its column's width.

    Both axes start at zero unless values are negative, so that the shape does not mislead.
    """
    with mpl.rc_context({**STYLE, "svg.hashsalt": curve.name}):
        figure = Figure(figsize=SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.plot(curve.x, curve.y, color=PLAN, linewidth=2.0, marker="o", markersize=3.0)
        axes.fill_between(curve.x, curve.y, color=PLAN, alpha=0.07, linewidth=0)
        _scale(axes, curve)
        if curve.at is not None:
            _mark(axes, curve.at, curve.mark, rising=curve.y[-1] > curve.y[0])
        return _svg(figure)


def _scale(axes: Axes, curve: Curve) -> None:
    axes.set_xlim(left=0.0, right=max(curve.x) * 1.04 or 1.0)
    low, high = min(0.0, *curve.y), max(0.0, *curve.y)
    axes.set_ylim(low * 1.08, high * 1.16 if high > low else 1.0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=5))
        axis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def _mark(axes: Axes, at: tuple[float, float], text: str, *, rising: bool) -> None:
    """Mark a point; the text stands on the side where the line is lower."""
    axes.plot(*at, marker="o", markersize=7.0, color=MARK, markeredgecolor="white")
    axes.vlines(at[0], axes.get_ylim()[0], at[1], color=MARK, linewidth=0.9, linestyles=":")
    axes.annotate(
        text,
        at,
        xytext=(-7 if rising else 7, 8),
        textcoords="offset points",
        ha="right" if rising else "left",
        color=MARK,
    )


def _svg(figure: Figure) -> str:
    """Return the drawing without the XML head, fixed size, page-wide style and numbered ids."""
    buffer = io.StringIO()
    figure.savefig(
        buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
    )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r' (width|height)="[\d.]+pt"', "", text, count=2)
    return UNUSED_ID.sub("", text).strip()
