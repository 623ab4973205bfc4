"""Looks for what goes wrong with real money, before it moves: the pre-flight check of a plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from incentive_engine.config.offer import Offer
from incentive_engine.config.schedule.moments import in_zone
from incentive_engine.domain import ISSUED
from incentive_engine.export.preflight_findings import PreflightFinding, Severity
from incentive_engine.language import Message, Value, say, stored
from incentive_engine.language.wording import joined
from incentive_engine.run.finished import FinishedRun
from incentive_engine.run.statements import StatedGain
from incentive_engine.stats.intervals import NORMAL_95
from incentive_engine.uplift.diagnosis.verdicts import TrialCheck


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flight:
    """What is looked at.

    Attributes
    ----------
    given
        Offer to number of users that the plan gives it to.
    now
        With a zone.
    previous
        The campaign's run before this one.
    """

    run: FinishedRun
    given: Mapping[str, int]
    now: datetime
    previous: FinishedRun | None

    @property
    def offers(self) -> tuple[Offer, ...]:
        """The offers that anybody gets."""
        return tuple(offer for offer in self.run.policy.offers if self.given.get(offer.id))

    @property
    def gain(self) -> StatedGain | None:
        """The plan's value by the trial; None where scores were given."""
        return self.run.evaluation.plan

    def baseline(self, name: str) -> float | None:
        """Return what the trial says of users without an offer: a rate, or a basket."""
        return None if self.gain is None else self.gain.baseline.get(name)


Found = Iterator[tuple[str, Severity, Message]]


def preflight(flight: Flight) -> tuple[PreflightFinding, ...]:
    """Return what is found, the most severe first."""
    checks: tuple[Callable[[Flight], Found], ...] = (
        _face_values, _liability, _validity, _jumps, _stock, _nobody, _holdout, _gain, _trial,
    )  # fmt: skip
    findings = [
        PreflightFinding(name=name, severity=severity, text=text)
        for check in checks
        for name, severity, text in check(flight)
    ]
    order = list(Severity)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))


def _face_values(flight: Flight) -> Found:
    """Face value against minimum spend, or against the median basket where there is none."""
    basket = flight.baseline("median_basket")
    # an offer that takes this share off the smallest basket is likely a misplaced decimal point
    deep = 0.5
    # a minimum spend beyond this many median baskets is out of most users' reach
    reach = 3.0
    for offer in flight.offers:
        smallest = offer.min_spend or basket
        if not smallest:
            continue
        values: dict[str, Value] = {
            "offer": offer.id,
            "face": offer.face_value,
            "basket": smallest,
            "what": say("preflight.minimum" if offer.min_spend else "preflight.no_minimum"),
        }
        if offer.face_value >= smallest:
            yield "free-goods", Severity.ERROR, say("preflight.free_goods", **values)
        elif offer.face_value >= deep * smallest:
            yield "deep-discount", Severity.WARNING, say("preflight.deep", **values)
        if basket and offer.min_spend and offer.min_spend > reach * basket:
            needed = say(
                "preflight.out_of_reach", offer=offer.id, needed=offer.min_spend, basket=basket
            )
            yield "out-of-reach", Severity.WARNING, needed


def _liability(flight: Flight) -> Found:
    """Worst-case liability, when everything is redeemed, against the pool."""
    stated = flight.run.certificate.budget
    pool, worst = stated.amount, stated.spent_face
    if not pool or worst <= pool:
        return
    text = say(
        "preflight.liability", worst=worst, times=worst / pool, pool=pool, share=pool / worst
    )
    # worst case over pool from which a forecast of redemption, then below 5 %, carries too much
    liability = 20.0
    yield "liability", Severity.WARNING if worst > liability * pool else Severity.NOTE, text


def _validity(flight: Flight) -> Found:
    """Offers that have expired, or begin late."""
    zone, endless = flight.run.policy.timezone, []
    for offer in flight.offers:
        if offer.valid_to is None:
            endless.append(offer.id)
        elif in_zone(offer.valid_to, zone) < flight.now:
            text = say("preflight.expired", offer=offer.id, time=str(offer.valid_to), zone=zone)
            yield "expired", Severity.ERROR, text
        if offer.valid_from and (start := in_zone(offer.valid_from, zone)) > flight.now:
            # a start further off than this is likely a wrong month or year
            severity = (
                Severity.WARNING if start - flight.now > timedelta(days=30) else Severity.NOTE
            )
            text = say("preflight.begins", offer=offer.id, time=str(offer.valid_from), zone=zone)
            yield "not-yet-valid", severity, text
    if endless:
        yield "never-expires", Severity.NOTE, say("preflight.never_expires", offers=tuple(endless))


def _jumps(flight: Flight) -> Found:
    """Figures that are ten times those of the run before, or a tenth."""
    if flight.previous is None:
        return
    before, after = _figures(flight.previous), _figures(flight.run)
    # a slipped decimal point, against the run before
    jump = 10.0
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
        if old > 0 and new > 0 and (new >= jump * old or old >= jump * new):
            run = str(flight.previous.directory)
            text = say("preflight.jump", name=name, new=new, run=run, old=old)
            yield "jump", Severity.WARNING, text


def _figures(run: FinishedRun) -> dict[Message, float]:
    stated = run.certificate.budget
    figures = {
        say("preflight.budget"): stated.amount or 0.0,
        say("preflight.cost"): stated.spent,
        say("preflight.worst"): stated.spent_face,
        say("preflight.offers"): run.certificate.treated,
    }
    for offer in run.policy.offers:
        figures[say("preflight.face", offer=offer.id)] = offer.face_value
        figures[say("preflight.min_spend", offer=offer.id)] = offer.min_spend or 0.0
    return figures


def _stock(flight: Flight) -> Found:
    """Offers that nobody can get, and offers whose number nothing bounds."""
    caps = [
        limit
        for limit in flight.run.policy.limits
        if limit.sum == ISSUED and limit.at_most is not None and not limit.report_only
    ]
    bounded: set[str] = set()
    for limit in caps:
        named = limit.offers or flight.run.policy.offer_ids
        bounded.update(named if not limit.where else ())
        if limit.at_most is not None and limit.at_most.value == 0 and not limit.where:
            text = say("preflight.out_of_stock", offers=tuple(named), limit=limit.name)
            yield "out-of-stock", Severity.WARNING, text
    if endless := [offer.id for offer in flight.offers if offer.id not in bounded]:
        text = say("preflight.unbounded", offers=tuple(endless))
        yield "unbounded-stock", Severity.NOTE, text


def _nobody(flight: Flight) -> Found:
    """Plans that give nothing to anybody."""
    if not flight.offers:
        yield "nobody", Severity.WARNING, say("preflight.nobody")


def _holdout(flight: Flight) -> Found:
    """Whether the increment will be measurable afterwards."""
    if not flight.offers:
        return
    holdout = flight.run.manifest.holdout.users
    decided = flight.run.certificate.users - holdout
    if holdout == 0:
        yield "holdout", Severity.WARNING, say("preflight.no_holdout")
        return
    rate, gain = flight.baseline("conversion_rate"), flight.gain
    if rate is None or not gain or not decided:
        return
    error = math.sqrt(rate * (1 - rate) * (1 / holdout + 1 / decided))
    expected = gain.conversions.estimate / decided
    if (half := NORMAL_95 * error) > expected:
        text = say("preflight.holdout", held=holdout, error=half, expected=expected)
        yield "holdout", Severity.WARNING, text


def _gain(flight: Flight) -> Found:
    """Whether the plan earns anything, by the trial."""
    if not flight.gain:
        yield "unmeasured-gain", Severity.NOTE, say("preflight.no_trial")
    if not (flight.gain and flight.offers):
        return
    total = flight.gain.conversions
    text = say("preflight.gain", value=total.estimate, low=total.low, high=total.high)
    if total.high <= 0:
        yield "loss", Severity.ERROR, text
    elif total.low <= 0:
        yield "uncertain-gain", Severity.WARNING, say("preflight.maybe_nothing", gain=text)


def _trial(flight: Flight) -> Found:
    """Name what makes the effects doubtful that the plan rests on."""
    for finding in flight.run.evaluation.findings:
        if finding.verdict != "fine":
            parts = filter(None, (finding.messages[name] for name in ("what", "remedy")))
            text = joined([stored.from_dict(message) for message in parts])
            yield f"trial-{finding.check.replace(' ', '-')}", Severity.WARNING, text


WARNINGS: Final = (
    "deep-discount", "holdout", "jump", "liability", "nobody", "not-yet-valid", "out-of-reach",
    "out-of-stock", *sorted(check.key for check in TrialCheck), "uncertain-gain",
)  # fmt: skip
"""What `--accept` takes."""
