"""Several campaigns in one table, as text, JSON, CSV and a page."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from incentive_engine.language import DASH, Code, Message, Text, language, say
from incentive_engine.language.terminal_text import aligned
from incentive_engine.measurement.figures import Measurement
from incentive_engine.measurement.lessons import Split
from incentive_engine.report.pages.measurement import (
    LessonLine,
    MeasuredCampaign,
    MeasurementPage,
    SplitStep,
)
from incentive_engine.stats.estimate import Estimate
from incentive_engine.stats.intervals import interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """What campaigns brought."""

    COLUMNS: ClassVar = (
        "run", "offer", "users", "held_out", "planned", "arrived", "by_scores", "stated",
        "stated_low", "stated_high", "measured", "measured_low", "measured_high", "forecast",
        "paid",
    )  # fmt: skip
    """Of the CSV: a row per campaign, whose offer is empty, and one per offer."""

    campaigns: tuple[Measurement, ...]

    @property
    def total(self) -> Estimate | None:
        """Conversions that they added together; None where one has no holdout.

        Holdouts of different campaigns are drawn apart, so that the errors add up as squares.
        """
        measured = [campaign.conversions.measured for campaign in self.campaigns]
        estimates = [one for one in measured if one is not None]
        if len(estimates) < len(measured):
            return None
        error = math.sqrt(sum(one.standard_error**2 for one in estimates))
        return interval(sum(one.value for one in estimates), error)

    def to_json(self) -> str:
        """Return the figures for programs; of one campaign, those alone."""
        if len(self.campaigns) == 1:
            return self.campaigns[0].to_json()
        total = self.total
        content = {
            "campaigns": [campaign.to_dict() for campaign in self.campaigns],
            "total": None if total is None else total.to_dict(),
        }
        return json.dumps(content, indent=2, ensure_ascii=False)

    def to_text(self, lang: Code = "en") -> str:
        """Return the figures for people; of one campaign, all of them."""
        if len(self.campaigns) == 1:
            return self.campaigns[0].to_text(lang)
        t = language(lang)
        lines = [*aligned(t, list(self._table()))]
        if (total := self.total) is not None:
            values = {"value": total.value, "low": total.low, "high": total.high}
            lines.append(t("measured.total", **values))
        for campaign in self.campaigns:
            words = [t.say(lesson.as_line) for lesson in campaign.lessons]
            words += [t.say(say("terminal.warning", text=text)) for text in campaign.warnings]
            lines += ["", campaign.run, *words] if words else []
        return "\n".join(lines)

    def _table(self) -> Iterator[tuple[Text, ...]]:
        names = ("campaign", "users", "stated", "measured", "verdict", "paid")
        yield tuple(say(f"measured.{name}") for name in names)
        for campaign in self.campaigns:
            promise = campaign.conversions
            yield (
                campaign.run,
                f"{campaign.users:,}",
                _words(_stated(campaign)),
                _words(promise.measured),
                promise.verdict or DASH,
                DASH if campaign.redeemed is None else f"{campaign.redeemed:,.0f}",
            )

    def to_csv(self) -> str:
        """Return the table as CSV, with names that no language changes."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.COLUMNS)
        for campaign in self.campaigns:
            writer.writerows(_csv_rows(campaign))
        return text.getvalue()

    def to_page(self) -> MeasurementPage:
        """Return what the page shows."""
        return MeasurementPage(
            campaigns=tuple(_page_campaign(campaign) for campaign in self.campaigns),
            total=self.total,
        )


def _stated(campaign: Measurement) -> Estimate | None:
    """Return what was stated before: by the trial, or else the sum of the scores."""
    promise = campaign.conversions
    if promise.trial is not None:
        return promise.trial
    return None if promise.scores is None else Estimate(value=promise.scores)


def _words(estimate: Estimate | None) -> Text:
    if estimate is None:
        return DASH
    if not estimate.has_interval:
        return f"{estimate.value:,.0f}"
    return say("estimate.whole", value=estimate.value, low=estimate.low, high=estimate.high)


def _csv_rows(campaign: Measurement) -> Iterator[tuple[object, ...]]:
    stated, measured = _stated(campaign), campaign.conversions.measured
    planned = sum(offer.planned for offer in campaign.offers)
    yield (
        campaign.run, "", campaign.users, campaign.held, planned, "", campaign.conversions.scores,
        *_numbers(stated), *_numbers(measured), campaign.forecast, campaign.redeemed,
    )  # fmt: skip
    for offer in campaign.offers:
        yield (
            campaign.run, offer.offer, "", "", offer.planned, offer.arrived, offer.scores,
            *_numbers(None), *_numbers(offer.measured), offer.forecast, offer.redeemed,
        )  # fmt: skip


def _numbers(estimate: Estimate | None) -> tuple[float | None, ...]:
    if estimate is None:
        return None, None, None
    numbers = (estimate.value, estimate.low, estimate.high)
    return tuple(number if math.isfinite(number) else None for number in numbers)


def _page_campaign(campaign: Measurement) -> MeasuredCampaign:
    promise = campaign.conversions
    return MeasuredCampaign(
        run=campaign.run,
        currency=campaign.currency,
        users=campaign.users,
        held=campaign.held,
        stated=_stated(campaign),
        measured=promise.measured,
        plain=promise.plain,
        verdict=promise.verdict,
        forecast=campaign.forecast,
        paid=campaign.redeemed,
        offers=campaign.offers,
        steps=() if campaign.split is None else tuple(_steps(campaign.split)),
        lessons=tuple(LessonLine(what=x.what, advice=x.advice) for x in campaign.lessons),
        facts=tuple(campaign.facts()),
        warnings=campaign.warnings,
    )


def _steps(split: Split) -> Iterator[SplitStep]:
    def step(name: str, conversions: float, *, is_sum: bool = False) -> SplitStep:
        return SplitStep(name=_name(name), conversions=conversions, is_sum=is_sum)

    if split.rules is not None:
        yield step("budget_alone", split.scores - split.rules, is_sum=True)
        yield step("other_limits", split.rules)
    yield step("plan_scores", split.scores, is_sum=True)
    for name, part in split.parts.items():
        yield step(name, part)
    yield SplitStep(name=_name("rest"), conversions=split.rest.value, interval=split.rest)
    yield step("measured", split.measured, is_sum=True)


def _name(step: str) -> Message:
    return say(f"campaign.{step}")
