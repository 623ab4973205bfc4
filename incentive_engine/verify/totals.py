"""Checks of the sums behind every limit: bounds, usage, slack, signs of prices."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from incentive_engine.domain import BUDGET
from incentive_engine.language import say
from incentive_engine.run.statements import StatedLimit
from incentive_engine.verify.recomputed.sums import LimitPart, parts

from .files import StatedRun
from .recomputed.arithmetic import agree, same_total
from .recomputed.sums import Sums
from .result import Check, CheckFindings


def check_limits(run: StatedRun, sums: Sums) -> tuple[Check, ...]:
    """Check the certificate's limits against the policy and the sums."""
    every = list(parts(sums))
    stated = {limit.name: limit for limit in run.certificate.limits}
    pairs = [(own, stated[own.name]) for own in every if own.name in stated]
    return (
        _listed(run, every),
        _budget(every),
        _hold(every),
        _bounds(pairs),
        _usage(pairs),
        _prices(pairs),
    )


def _listed(run: StatedRun, every: list[LimitPart]) -> Check:
    findings = CheckFindings(
        "limits listed", "the certificate lists each limit of the policy once"
    )
    names = [limit.name for limit in run.certificate.limits]
    expected = {own.name for own in every}
    for name in sorted({name for name in names if names.count(name) > 1}):
        findings.add(say("`{name}` stands twice", name=name))
    for name in sorted(expected - set(names)):
        findings.add(say("`{name}` is missing", name=name))
    for name in sorted(set(names) - expected):
        findings.add(say("`{name}` is not in the policy", name=name))
    return findings.check()


def _budget(every: list[LimitPart]) -> Check:
    findings = CheckFindings("budget", "the integer sum is within the budget, with no tolerance")
    for limit in every:
        if limit.name == BUDGET and limit.broken:
            findings.add(say("the plan breaks the budget: {broken}", broken=limit.broken))
    return findings.check()


def _hold(every: list[LimitPart]) -> Check:
    findings = CheckFindings("limits", "every enforced limit holds: money and users exactly")
    for limit in every:
        if limit.name != BUDGET and not limit.group.report_only and limit.broken:
            findings.add(
                say("the plan breaks `{name}`: {broken}", name=limit.name, broken=limit.broken)
            )
    return findings.check()


def _bounds(pairs: list[tuple[LimitPart, StatedLimit]]) -> Check:
    findings = CheckFindings("limit bounds", "the stated bounds are the policy's")
    for own, limit in pairs:
        for word, bound, number in _stated_bounds(own, limit):
            expected = None if bound is None else float(bound)
            if not _same(number, expected, scale=abs(expected or 0.0)):
                findings.add(
                    say(
                        "`{name}`: {word} is {number}, the policy says {expected}",
                        name=limit.name,
                        word=word,
                        number=number,
                        expected=expected,
                    )
                )
        if limit.report_only != own.group.report_only:
            findings.add(
                say(
                    "`{name}`: report_only is {report_only}",
                    name=limit.name,
                    report_only=limit.report_only,
                )
            )
    return findings.check()


def _stated_bounds(
    part: LimitPart, limit: StatedLimit
) -> Iterator[tuple[str, Fraction | None, float | None]]:
    high, low = part.bounds
    yield "at_most", high, limit.at_most
    yield "at_least", low, limit.at_least
    if part.group.is_ratio and limit.ratio is not None:
        yield "ratio.at_most", part.group.at_most, limit.ratio.at_most
        yield "ratio.at_least", part.group.at_least, limit.ratio.at_least


def _usage(pairs: list[tuple[LimitPart, StatedLimit]]) -> Check:
    findings = CheckFindings(
        "limit usage", "usage and slack are as stated, report-only limits included"
    )
    for own, limit in pairs:
        for word, number, expected in (
            ("usage", limit.usage, float(own.linear)),
            ("slack", limit.slack, own.slack),
        ):
            if not _same_sum(number, expected, part=own):
                findings.add(
                    say(
                        "`{name}`: {word} is {number}, recomputed {expected}",
                        name=limit.name,
                        word=word,
                        number=number,
                        expected=expected,
                    )
                )
        if (limit.ratio is not None) is not own.group.is_ratio:
            findings.add(say("`{name}`: its ratio is {ratio}", name=limit.name, ratio=limit.ratio))
        elif limit.ratio is not None:
            stated, ratio = limit.ratio.usage, own.ratio
            if not _same(stated, ratio, scale=abs(ratio or 0.0)):
                findings.add(
                    say(
                        "`{name}`: ratio is {stated}, recomputed {ratio}",
                        name=limit.name,
                        stated=stated,
                        ratio=ratio,
                    )
                )
    return findings.check()


def _prices(pairs: list[tuple[LimitPart, StatedLimit]]) -> Check:
    findings = CheckFindings(
        "prices", "a price is positive only at at_most, negative only at at_least"
    )
    for own, limit in pairs:
        high, low = (bound is not None for bound in own.bounds)
        if own.group.report_only:
            if limit.price is not None:
                findings.add(
                    say(
                        "`{name}` is report-only and has the price {price}",
                        name=limit.name,
                        price=limit.price,
                    )
                )
        elif limit.price is None:
            findings.add(say("`{name}` has no price", name=limit.name))
        elif limit.price > 0 and not high:
            findings.add(
                say(
                    "`{name}`: the price {price} is positive without at_most",
                    name=limit.name,
                    price=limit.price,
                )
            )
        elif limit.price < 0 and not low:
            findings.add(
                say(
                    "`{name}`: the price {price} is negative without at_least",
                    name=limit.name,
                    price=limit.price,
                )
            )
    return findings.check()


def _same(stated: float | None, expected: float | None, *, scale: float) -> bool:
    if stated is None or expected is None:
        return stated is expected
    return bool(agree(stated, expected, scale=scale))


def _same_sum(stated: float | None, expected: float, *, part: LimitPart) -> bool:
    """Return whether a sum or a distance to its bounds is as stated: money to the millionth."""
    if stated is None:
        return False
    largest = max([part.scale, *(abs(float(bound)) for bound in part.bounds if bound)])
    if part.group.is_exact:
        return same_total(stated, expected, largest=largest)
    return bool(agree(stated, expected, scale=largest))
