"""How well the model knows the effects: a table, and what was predicted against what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from incentive_engine.language import Language
from incentive_engine.report import words
from incentive_engine.report.figures.charts import Axis, Chart, Colour, Series, Size, figure
from incentive_engine.report.quality import CalibrationGroup, OfferQuality, Quality
from incentive_engine.stats.estimate import Estimate

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


def quality_lines(t: Language, quality: Quality) -> list[QualityLine]:
    """Return the table of the model's quality."""
    return [_line(t, offer) for offer in quality.offers]


def quality_charts(t: Language, quality: Quality, *, currency: str) -> list[Markup]:
    """Return per offer one chart of effects and one of costs."""
    effects = [
        _calibration(t, "effects", offer.offer, offer.effects, scale=USERS)
        for offer in quality.offers
    ]
    costs = [
        _calibration(t, "costs", offer.offer, offer.costs, currency=currency)
        for offer in quality.offers
    ]
    return [figure(t, chart) for chart in (*effects, *costs)]


def gain_chart(t: Language, quality: Quality, *, currency: str) -> Markup:
    """Return what plans gain by what they cost: with the model, and with constant effects."""
    points = quality.curve
    x = [0.0, *(USERS * point.budget for point in points)]
    model = Series(
        label=t("quality.by_model"),
        x=x,
        y=[0.0, *(USERS * point.model.value for point in points)],
        low=[0.0, *(USERS * point.model.low for point in points)],
        high=[0.0, *(USERS * point.model.high for point in points)],
    )
    constant = Series(
        label=t("quality.by_constant"),
        x=x,
        y=[0.0, *(USERS * point.constant.value for point in points)],
        colour=Colour.MARK,
        dashed=True,
    )
    chart = Chart(
        caption=t("quality.curve"),
        x=Axis(title=t("quality.cost_axis", currency=currency)),
        y=Axis(title=t("quality.gain_axis")),
        series=(model, constant),
    )
    return figure(t, chart)


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


def _calibration(
    t: Language,
    kind: str,
    offer: str,
    groups: tuple[CalibrationGroup, ...],
    *,
    scale: float = 1,
    currency: str = "",
) -> Chart:
    series = Series(
        label="",
        x=[group.predicted * scale for group in groups],
        y=[group.observed.value * scale for group in groups],
        low=[group.observed.low * scale for group in groups],
        high=[group.observed.high * scale for group in groups],
        line=False,
    )
    return Chart(
        caption=t(f"quality.{kind}", offer=offer),
        x=Axis(title=t(f"quality.{kind}_predicted", currency=currency)),
        y=Axis(title=t(f"quality.{kind}_observed", currency=currency)),
        series=(series,),
        size=Size(width=240, height=220, left=40, right=8, top=26, bottom=42),
        equal=True,
    )
