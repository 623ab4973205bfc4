"""Lines over budgets, or over a setting, one per strategy, as SVG text inside the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from incentive_engine.language.formats import compact

from .plots import GRID, MUTED, STYLE, svg_of

COLOURS: Final = {
    "engine": "#0b5a8a",
    "engine-unweighted": "#4b9cd3",
    "oracle": "#1d2733",
    "oracle-unweighted": "#66717f",
    "greedy": "#17693a",
    "propensity": "#c2410c",
    "tier-rules": "#a3231a",
    "first-come": "#b45309",
    "everyone": "#7c3aed",
    "nobody": "#a9b5c1",
}
DASHED: Final = frozenset({"oracle", "oracle-unweighted", "nobody"})
"""Strategies that nobody can use, or that do nothing."""
SIZE: Final = (6.4, 3.6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One strategy's points; the band is its 95 % interval where it has one."""

    strategy: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


def draw_lines(lines: Sequence[Line], *, name: str, ticks: Sequence[str] | None = None) -> str:
    """Return a plot as an ``<svg>`` element.

    Parameters
    ----------
    lines
        One per strategy, in the order of the legend.
    name
        Distinguishes the plot's ids from those of others on the page.
    ticks
        Labels of the x axis, where the points are not on a scale of numbers.
    """
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for line in lines:
            colour = COLOURS.get(line.strategy, MUTED)
            style = "--" if line.strategy in DASHED else "-"
            axes.plot(
                line.x, line.y, style, color=colour, marker="o", markersize=3.0, linewidth=1.7,
                label=line.strategy,
            )  # fmt: skip
            if line.low is not None and line.high is not None:
                axes.fill_between(
                    line.x, line.low, line.high, color=colour, alpha=0.1, linewidth=0
                )
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(nbins=6))
            axis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
        if ticks is not None:
            axes.set_xticks(range(len(ticks)), ticks)
        axes.grid(axis="y", color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        figure.legend(loc="outside right upper", frameon=False, fontsize=8)
        return svg_of(figure)
