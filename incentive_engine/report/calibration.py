"""What was predicted against what happened, as small plots."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from incentive_engine.language import Language
from incentive_engine.stats.estimate import Estimate

from . import words
from .curve import MARK, MUTED, PLAN, Frame, spread
from .evidence import CalibrationGroup, OfferQuality, Quality

USERS: Final = 1_000
"""Effects are shown per so many users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityLine:
    """One offer's row in the table of the model's quality."""

    offer: str
    treated: str
    effect: str
    effect_interval: str
    qini: str
    qini_interval: str
    slope: str
    slope_interval: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationPlot:
    """One plot with what stands above it."""

    caption: str
    svg: Markup


def quality_lines(t: Language, quality: Quality) -> list[QualityLine]:
    """Return the table of the model's quality."""
    return [_line(t, offer) for offer in quality.offers]


def quality_plots(t: Language, quality: Quality) -> list[CalibrationPlot]:
    """Return per offer one plot of effects and one of costs."""
    plots = []
    for key, scale in (("effects", USERS), ("costs", 1)):
        for offer in quality.offers:
            groups: tuple[CalibrationGroup, ...] = getattr(offer, key)
            caption = t(f"quality.{key}", offer=offer.offer)
            svg = Markup(_draw(t, groups, scale=scale, label=caption))  # noqa: S704 - our own drawing
            plots.append(CalibrationPlot(caption=caption, svg=svg))
    return plots


def over_constant(t: Language, quality: Quality) -> str | None:
    """Return by how much aiming beats one effect per offer, in a sentence; None if unknown."""
    if quality.over_constant is None:
        return None
    gain = _scaled(quality.over_constant)
    return t("quality.over_constant", gain=words.centre(t, gain), range=words.interval(t, gain))


def _line(t: Language, offer: OfferQuality) -> QualityLine:
    effect, qini = (_scaled(estimate) for estimate in (offer.conversion, offer.qini))
    slope = offer.slope
    return QualityLine(
        offer=offer.offer,
        treated=t.count(offer.treated),
        effect=words.centre(t, effect),
        effect_interval=words.interval(t, effect),
        qini=words.centre(t, qini),
        qini_interval=words.interval(t, qini),
        slope=words.centre(t, slope),
        slope_interval=words.interval(t, slope),
    )


def _scaled(estimate: Estimate) -> Estimate:
    return estimate.times(USERS)


def _draw(t: Language, groups: tuple[CalibrationGroup, ...], *, scale: float, label: str) -> str:
    ends = [
        end * scale
        for group in groups
        for end in (group.predicted, group.observed.low, group.observed.high)
        if not math.isnan(end)
    ]
    both = spread(ends, room=1.08)
    frame = Frame(width=230, height=190, left=36, right=8, top=8, bottom=24, x=both, y=both)
    parts = [
        frame.open(label),
        *frame.axes(t),
        _diagonal(frame, both),
        *_points(frame, groups, scale),
    ]
    return "\n".join([*parts, "</svg>"])


def _diagonal(frame: Frame, ends: tuple[float, float]) -> str:
    (x0, y0), (x1, y1) = (frame.place(end, end) for end in ends)
    return f'<path d="M{x0} {y0}L{x1} {y1}" stroke="{MUTED}" stroke-dasharray="2 3" fill="none"/>'


def _points(frame: Frame, groups: tuple[CalibrationGroup, ...], scale: float) -> Iterator[str]:
    for group in groups:
        x, y = frame.place(group.predicted * scale, group.observed.value * scale)
        if group.observed.has_interval:
            _, low = frame.place(0, group.observed.low * scale)
            _, high = frame.place(0, group.observed.high * scale)
            yield f'<path d="M{x} {low}V{high}" stroke="{MARK}" stroke-width="1.5"/>'
        yield f'<circle cx="{x}" cy="{y}" r="3.5" fill="{PLAN}"/>'
