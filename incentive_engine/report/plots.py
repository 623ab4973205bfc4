"""The look of plots, and how they become SVG text: same numbers, same bytes; text stays text."""

from __future__ import annotations

import io
import re
from typing import Any, Final

from matplotlib.figure import Figure

INK: Final = "#1d2733"
MUTED: Final = "#66717f"
GRID: Final = "#e3e7ec"

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


def svg_of(figure: Figure) -> str:
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
