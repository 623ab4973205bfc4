"""What finished campaigns brought, as one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from incentive_engine.language import Code, Language, Message, Text, language
from incentive_engine.report.figures.charts import Axis, Chart, Colour, Series, figure
from incentive_engine.report.frame import render_page
from incentive_engine.stats.estimate import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferOutcome:
    """One offer of the plan.

    Attributes
    ----------
    planned
        Users it was meant for.
    arrived
        How many of them it reached; None where that is not known.
    scores
        Conversions that it should add, by the scores.
    measured
        Conversions that it added; None where that cannot be told.
    forecast, redeemed
        Subsidy of those it was meant for, currency units; what was paid is None where unknown.
    """

    offer: str
    planned: int
    arrived: int | None
    scores: float
    measured: Estimate | None
    forecast: float
    redeemed: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitStep:
    """One step from what the scores promised to what was measured.

    Attributes
    ----------
    is_sum
        Whether it is where one stands, and not a step.
    """

    name: Message
    conversions: float
    interval: Estimate | None = None
    is_sum: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonLine:
    """What happened, and what to do differently."""

    what: Message
    advice: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCampaign:
    """One campaign.

    Attributes
    ----------
    stated, measured, plain
        Conversions: as stated before, against the holdout, and that without the model's scores.
    verdict
        How both compare; None where that cannot be said.
    facts, warnings
        Sentences.
    """

    run: str
    currency: str
    users: int
    held: int
    stated: Estimate | None
    measured: Estimate | None
    plain: Estimate | None
    verdict: Message | None
    forecast: float
    paid: float | None
    offers: tuple[OfferOutcome, ...]
    steps: tuple[SplitStep, ...]
    lessons: tuple[LessonLine, ...]
    facts: tuple[Message, ...]
    warnings: tuple[Message, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementPage:
    """All campaigns, and what they brought together."""

    campaigns: tuple[MeasuredCampaign, ...]
    total: Estimate | None


def render_measurement(page: MeasurementPage, *, lang: Code = "en") -> str:
    """Return the page as HTML: no file, script or font from elsewhere."""
    t = language(lang)

    def span(estimate: Estimate | None) -> str:
        if estimate is None or not estimate.has_interval:
            return ""
        return t("headline.interval", low=t.number(estimate.low), high=t.number(estimate.high))

    return render_page(
        "measurement.html.j2",
        lang=lang,
        page=page,
        span=span,
        unit=t.unit,
        signed=lambda value: signed(t, value),
        is_doubtful=_is_doubtful,
        picture=_picture(t, page.campaigns),
    )


def signed(t: Language, value: float) -> str:
    """Return a number with its sign."""
    return f"+{t.number(value)}" if value > 0 else t.number(value)


def _is_doubtful(verdict: Text | None) -> bool:
    return isinstance(verdict, Message) and verdict.key == "campaign.less_than_stated"


def _picture(t: Language, campaigns: Sequence[MeasuredCampaign]) -> Markup:
    # campaigns of one drawing; more would not be legible
    drawn = 8
    some = campaigns[:drawn]
    names = tuple(campaign.run for campaign in some)
    chart = Chart(
        caption=t("measured.picture"),
        x=Axis(title="", names=names),
        y=Axis(title=t("campaign.conversions")),
        series=tuple(_series(t, some)),
        tabled=False,
    )
    return figure(t, chart)


def _series(t: Language, campaigns: Sequence[MeasuredCampaign]) -> Iterator[Series]:
    # how far what was stated and what was measured stand apart on the axis of campaigns
    beside = 0.12
    for name, aside, colour in (
        ("stated", -beside, Colour.PLAN),
        ("measured", beside, Colour.MARK),
    ):
        estimates = [
            (place + aside, estimate)
            for place, campaign in enumerate(campaigns)
            if (estimate := getattr(campaign, name)) is not None
        ]
        yield Series(
            label=t(f"measured.{name}"),
            x=[place for place, _ in estimates],
            y=[estimate.value for _, estimate in estimates],
            low=[estimate.low for _, estimate in estimates],
            high=[estimate.high for _, estimate in estimates],
            colour=colour,
            line=False,
            dots=True,
        )
