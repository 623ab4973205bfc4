"""What a campaign brought, as figures and in words."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
    """

    scores: float | None
    trial: Estimate | None
    measured: Estimate | None

    @property
    def verdict(self) -> str:
        """How what came compares with what was stated, by the trial where there is one."""
        if self.measured is None or not math.isfinite(self.measured.standard_error):
            return ""
        if self.trial is not None:
            stated, error = self.trial.value, self.trial.standard_error
        elif self.scores is not None:
            stated, error = self.scores, 0.0
        else:
            return ""
        gap = self.measured.value - stated
        if abs(gap) <= NORMAL_95 * math.hypot(error, self.measured.standard_error):
            return "as stated, within chance"
        return "more than stated, beyond chance" if gap > 0 else "less than stated, beyond chance"


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
class Split:
    """How many conversions lie between the sum of the scores and what was measured.

    Attributes
    ----------
    scores
        Of the plan.
    rules
        Conversions by the scores that the plan has beyond one within the budget alone; below
        zero, this is what the limits cost.
    optimism
        What the trial had taken off the scores before; None where scores were given.
    execution
        Offers that did not arrive, or others that did, by their scores; None where unknown.
    redemption
        Offers redeemed less or more than forecast, as if conversions went with them; None where
        unknown.
    rest
        The error of the model beyond all that, and chance; with the interval of what was measured.
    """

    scores: float
    rules: float | None
    optimism: float | None
    execution: float | None
    redemption: float | None
    rest: Estimate
    measured: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What a campaign brought, against what was planned."""

    run: str
    currency: str
    users: int
    held: int
    named: int
    """Users of whom the file of outcomes says something."""
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
    warnings: tuple[str, ...]

    def to_json(self) -> str:
        """Return the figures for programs."""
        content: dict[str, Any] = as_plain(self)
        for name, promise in (("conversions", self.conversions), ("spend", self.spend)):
            if promise is not None:
                content[name]["verdict"] = promise.verdict
        return json.dumps(content, indent=2, ensure_ascii=False)

    def to_text(self) -> str:
        """Return the figures for people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        known = f"outcomes of {self.named:,}, the others are taken to have done nothing"
        if self.named == self.users:
            known = "outcomes of all"
        yield f"{self.run}: {self.users:,} users, {self.held:,} of them held out; {known}"
        yield from _promise_lines("incremental conversions", self.conversions)
        if self.spend is not None:
            yield from _promise_lines("incremental spend", self.spend, unit=self.currency)
        if self.conversions.measured is not None:
            whom = "of those who get an offer at the plan's prices" if self.by_rule else "of all"
            yield f"  measured as the difference {whom}: {self.compared:,} users and the holdout's"
        yield from self._money_lines()
        yield from self._offer_lines()
        if self.split is not None:
            yield from _split_lines(self.split)
        yield from (f"warning: {warning}" for warning in self.warnings)

    def _money_lines(self) -> Iterator[str]:
        if self.redeemed is None:
            return
        words = (
            f"subsidy paid: {self.redeemed:,.2f} {self.currency}, {self.forecast:,.2f} forecast"
        )
        if self.forecast > 0:
            words += f" ({self.redeemed / self.forecast - 1:+.1%})"
        if self.budget is not None:
            over = self.redeemed - self.budget
            kept = "kept" if over <= 0 else f"passed by {over:,.2f}"
            words += f"; the budget of {self.budget:,.2f} ({self.basis}) was {kept}"
        yield words

    def _offer_lines(self) -> Iterator[str]:
        yield (
            f"{'offer':<16}{'planned':>10}{'arrived':>10}{'by scores':>11}  {'measured':<28}"
            f"{'forecast':>12}{'paid':>12}"
        )
        for row in self.offers:
            arrived = "–" if row.arrived is None else f"{row.arrived:,}"
            paid = "–" if row.redeemed is None else f"{row.redeemed:,.0f}"
            yield (
                f"{row.offer:<16}{row.planned:>10,}{arrived:>10}{row.scores:>11,.1f}  "
                f"{_with_interval(row.measured):<28}{row.forecast:>12,.0f}{paid:>12}"
            )


def _promise_lines(name: str, promise: Promise, *, unit: str = "") -> Iterator[str]:
    amount = f" {unit}" if unit else ""
    measured = _with_interval(promise.measured)
    verdict = f"; {promise.verdict}" if promise.verdict else ""
    yield f"{name}: {measured}{amount} against the holdout (95 % interval){verdict}"
    stated = []
    if promise.trial is not None:
        stated.append(f"{_with_interval(promise.trial)} by the trial")
    if promise.scores is not None:
        stated.append(f"{promise.scores:,.0f} by the sum of the scores")
    if stated:
        yield f"  stated before: {', '.join(stated)}"


def _split_lines(split: Split) -> Iterator[str]:
    yield "conversions, from the scores to what was measured:"
    if split.rules is not None:
        yield f"  {'within the budget alone':<38}{split.scores - split.rules:>10,.1f}"
        yield f"  {'the other limits and weights':<38}{split.rules:>+10,.1f}"
    yield f"  {'the plan, by the scores':<38}{split.scores:>10,.1f}"
    parts = (
        ("scores too bold, known by the trial", split.optimism),
        ("offers that did not arrive as planned", split.execution),
        ("redeemed otherwise than forecast", split.redemption),
    )
    yield from (f"  {name:<38}{part:>+10,.1f}" for name, part in parts if part is not None)
    rest = split.rest
    yield (
        f"  {'the model beyond that, and chance':<38}{rest.value:>+10,.1f} "
        f"({rest.low:,.0f} to {rest.high:,.0f})"
    )
    yield f"  {'measured':<38}{split.measured:>10,.1f}"


def _with_interval(found: Estimate | None) -> str:
    if found is None or not math.isfinite(found.standard_error):
        return "–"
    return f"{found.value:,.0f} ({found.low:,.0f} to {found.high:,.0f})"
