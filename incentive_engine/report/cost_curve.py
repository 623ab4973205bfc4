"""The multi-armed, cost-aware Qini curve: what plans by a model bring for what they cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from incentive_engine.language import Language
from incentive_engine.stats.estimate import Estimate

from .curve import MARK, PLAN, Frame, spread

PEOPLE: Final = 1_000
"""Gains and costs are shown per so many people of the trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One budget: the cost that it allows per person, currency units, and the gains per person."""

    budget: float
    model: Estimate
    """Conversions by plans that aim with the model, out of fold."""
    constant: Estimate
    """Conversions by plans that know one effect per offer."""


def draw_cost_curve(t: Language, points: tuple[CurvePoint, ...]) -> Markup:
    """Return a plot of the model's gains with their band, and those of constant effects."""
    ends = [
        end
        for point in points
        for end in (point.model.low, point.model.high, point.constant.value)
        if not math.isnan(end)
    ]
    x = spread([PEOPLE * point.budget for point in points], room=1.04)
    frame = Frame(x=x, y=spread([PEOPLE * end for end in ends], room=1.08))
    parts = [
        frame.open(t("quality.curve")),
        *frame.axes(t),
        *_band(frame, points),
        _line(frame, points, lambda point: point.constant.value, MARK, ' stroke-dasharray="5 4"'),
        _line(frame, points, lambda point: point.model.value, PLAN),
        "</svg>",
    ]
    return Markup("\n".join(parts))  # noqa: S704 - our own drawing


def _line(
    frame: Frame,
    points: tuple[CurvePoint, ...],
    gain: Callable[[CurvePoint], float],
    colour: str,
    dashes: str = "",
) -> str:
    path = "L".join(_place(frame, point, gain(point)) for point in points)
    start = "{} {}".format(*frame.place(0.0, 0.0))
    return f'<path d="M{start}L{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'


def _band(frame: Frame, points: tuple[CurvePoint, ...]) -> Iterator[str]:
    known = [point for point in points if point.model.has_interval]
    there = [_place(frame, point, point.model.low) for point in known]
    back = [_place(frame, point, point.model.high) for point in known]
    start = "{} {}".format(*frame.place(0.0, 0.0))
    path = "L".join([start, *there, *reversed(back)])
    yield f'<path d="M{path}Z" fill="{PLAN}" fill-opacity="0.12"/>'


def _place(frame: Frame, point: CurvePoint, gain: float) -> str:
    return "{} {}".format(*frame.place(PEOPLE * point.budget, PEOPLE * gain))
