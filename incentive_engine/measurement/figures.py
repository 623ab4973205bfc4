"""What a campaign brought, as figures and in words."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from incentive_engine.language import DASH, Code, Language, Message, Text, Value, language, say
from incentive_engine.language.terminal_text import aligned
from incentive_engine.language.wording import as_warnings, joined, named
from incentive_engine.measurement.lessons import Lesson, Split, lessons
from incentive_engine.report.pages.measurement import OfferOutcome
from incentive_engine.stats.estimate import Estimate, as_plain
from incentive_engine.stats.intervals import NORMAL_95


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """An increment that was stated before the campaign, and what came.

    Attributes
    ----------
    scores
        The sum of the plan's scores; None where there are none of this measure.
    trial
        What the trial said of the plan; None where scores were given.
    measured
        Against the holdout; None without one.
    plain
        The same without taking off what the scores explain.
    """

    scores: float | None
    trial: Estimate | None
    measured: Estimate | None
    plain: Estimate | None = None

    @property
    def verdict(self) -> Message | None:
        """How what came compares with what was stated, by the trial where there is one."""
        if self.measured is None or not math.isfinite(self.measured.standard_error):
            return None
        if self.trial is not None:
            stated, error = self.trial.value, self.trial.standard_error
        elif self.scores is not None:
            stated, error = self.scores, 0.0
        else:
            return None
        gap = self.measured.value - stated
        if abs(gap) <= NORMAL_95 * math.hypot(error, self.measured.standard_error):
            return say("campaign.as_stated")
        return say("campaign.more_than_stated" if gap > 0 else "campaign.less_than_stated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What a campaign brought, against what was planned."""

    run: str
    currency: str
    users: int
    held: int
    named: int
    """Users of whom the file of outcomes says something."""
    came: int | None
    """Users who were decided on live; None where a batch decided."""
    compared: int
    """Users outside the holdout who were compared with it."""
    by_rule: bool
    """Whether only those were compared who get an offer at the plan's prices, on both sides."""
    conversions: Promise
    spend: Promise | None
    budget: float | None
    basis: str
    """What the budget counted."""
    forecast: float
    redeemed: float | None
    offers: tuple[OfferOutcome, ...]
    split: Split | None
    warnings: tuple[Message, ...]

    @property
    def lessons(self) -> tuple[Lesson, ...]:
        """What lies between plan and outcome, and what to do differently."""
        return () if self.split is None else lessons(self.split)

    def to_json(self) -> str:
        """Return the figures for programs."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for programs, as JSON has them."""
        content: dict[str, Any] = as_plain(self)
        content["warnings"] = [str(warning) for warning in self.warnings]
        for name, promise in (("conversions", self.conversions), ("spend", self.spend)):
            if promise is not None:
                content[name]["verdict"] = str(promise.verdict or "")
        content["lessons"] = [lesson.to_dict() for lesson in self.lessons]
        return content

    def to_text(self, lang: Code = "en") -> str:
        """Return the figures for people."""
        t = language(lang)
        lines = [*map(t.say, self._totals()), *self._offers(t)]
        if self.split is not None:
            lines += _split_lines(t, self.split)
        lines += [t.say(lesson.as_line) for lesson in self.lessons]
        return "\n".join([*lines, *map(t.say, as_warnings(self.warnings))])

    def _totals(self) -> Iterator[Message]:
        outcomes = say("campaign.known", named=self.named)
        if self.named == self.users:
            outcomes = say("campaign.known_all")
        yield say("campaign.head", run=self.run, users=self.users, held=self.held, known=outcomes)
        yield from _promise_lines(say("campaign.conversions"), self.conversions)
        if self.spend is not None:
            spend = say("campaign.spend_in", currency=self.currency)
            yield from _promise_lines(spend, self.spend)
        yield from self.facts()
        yield from self._money()

    def facts(self) -> Iterator[Message]:
        """Yield how it was measured."""
        yield from self._narrowed()
        if self.came is not None:
            yield say("campaign.came", users=self.came)
        if self.conversions.measured is not None:
            whom = "rule" if self.by_rule else "all"
            yield say(f"campaign.compared_{whom}", users=self.compared)

    def _narrowed(self) -> Iterator[Message]:
        """Yield by how much the scores narrow the interval, where they do."""
        measured, plain = self.conversions.measured, self.conversions.plain
        if measured is None or plain is None or not plain.standard_error > 0:
            return
        narrower = 1 - measured.standard_error / plain.standard_error
        # by how much an interval is narrower, relative, before that is said
        worth_saying = 0.005
        if narrower >= worth_saying:
            yield say("campaign.narrowed", share=narrower, plain=_with_interval(plain))

    def _money(self) -> Iterator[Message]:
        if self.redeemed is None:
            return
        values: dict[str, Value] = {
            "paid": self.redeemed,
            "currency": self.currency,
            "forecast": self.forecast,
        }
        text = say("campaign.paid", **values)
        if self.forecast > 0:
            text = say("campaign.paid_off", off=self.redeemed / self.forecast - 1, **values)
        if self.budget is not None:
            over, basis = self.redeemed - self.budget, named("basis", self.basis)
            kind = "kept" if over <= 0 else "passed"
            text = say(
                f"campaign.budget_{kind}", text=text, budget=self.budget, basis=basis, over=over
            )
        yield text

    def _offers(self, t: Language) -> Iterator[str]:
        names = ("offer", "planned", "arrived", "scores", "measured", "forecast", "cost")
        rows: list[tuple[Text, ...]] = [tuple(say(f"campaign.{name}") for name in names)]
        rows += [
            (
                row.offer,
                f"{row.planned:,}",
                DASH if row.arrived is None else f"{row.arrived:,}",
                f"{row.scores:,.1f}",
                _with_interval(row.measured),
                f"{row.forecast:,.0f}",
                DASH if row.redeemed is None else f"{row.redeemed:,.0f}",
            )
            for row in self.offers
        ]
        return aligned(t, rows)


def _promise_lines(name: Message, promise: Promise) -> Iterator[Message]:
    values: dict[str, Value] = {"what": name, "measured": _with_interval(promise.measured)}
    if promise.verdict is None:
        yield say("campaign.against", **values)
    else:
        yield say("campaign.against_verdict", verdict=promise.verdict, **values)
    stated = []
    if promise.trial is not None:
        stated.append(say("campaign.by_trial", value=_with_interval(promise.trial)))
    if promise.scores is not None:
        stated.append(say("campaign.by_scores", value=promise.scores))
    if stated:
        yield say("campaign.stated", parts=joined(stated, "comma"))


def _split_lines(t: Language, split: Split) -> Iterator[str]:
    yield t("campaign.split")
    rows: list[tuple[Text, ...]] = []
    if split.rules is not None:
        rows.append((say("campaign.budget_alone"), f"{split.scores - split.rules:,.1f}", ""))
        rows.append((say("campaign.other_limits"), f"{split.rules:+,.1f}", ""))
    rows.append((say("campaign.plan_scores"), f"{split.scores:,.1f}", ""))
    rows += [(say(f"campaign.{name}"), f"{part:+,.1f}", "") for name, part in split.parts.items()]
    remainder = split.rest
    span = say("headline.interval", low=f"{remainder.low:,.0f}", high=f"{remainder.high:,.0f}")
    rows.append((say("campaign.rest"), f"{remainder.value:+,.1f}", span))
    rows.append((say("campaign.measured"), f"{split.measured:,.1f}", ""))
    yield from (f"  {line}" for line in aligned(t, rows))


def _with_interval(found: Estimate | None) -> Text:
    """Return a total with its interval, a dash where there is none."""
    if found is None or not math.isfinite(found.standard_error):
        return DASH
    return say("estimate.whole", value=found.value, low=found.low, high=found.high)
