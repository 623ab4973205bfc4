"""Checks of the sums behind every limit: bounds, usage, slack, signs of prices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from incentive_engine.domain import BUDGET, ISSUED, MICROS
from incentive_engine.language import say
from incentive_engine.run.statements import StatedLimit

from .files import StatedRun
from .recomputed.arithmetic import agree, joined, same_total, within
from .recomputed.limits import LimitGroup
from .recomputed.sums import Sums
from .recomputed.usage import linear_form
from .result import Check, CheckFindings


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitPart:
    """One limit by name, with the sums of the chosen pairs."""

    name: str
    group: LimitGroup
    sums: tuple[Fraction | float, ...]
    """Of the measure, or of numerator and denominator; a Fraction where it is exact."""
    scale: float
    """The sum of the absolute values of all terms, in the limit's units: what rounding errors
    grow with."""

    @property
    def ratio(self) -> float | None:
        """The ratio itself; None over nothing, and for other limits."""
        if not self.group.is_ratio:
            return None
        top, bottom = map(float, self.sums)
        return top / bottom if bottom else None

    @property
    def bounds(self) -> tuple[Fraction | None, Fraction | None]:
        """The upper and the lower bound of what a price is put on."""
        if self.group.is_ratio:
            # a ratio is priced in its linear form, which is bounded by 0
            return Fraction(0), None
        return self.group.at_most, self.group.at_least

    @property
    def linear(self) -> Fraction | float:
        """What a price is put on: the sum, or a ratio's linear form, which is at most 0."""
        total: Fraction | float = linear_form(self.group, *self.sums)
        return total

    @property
    def slack(self) -> float:
        """The room that is left to the nearer bound, in the units of the sum."""
        high, low = self.bounds
        rooms = [] if high is None else [float(high - Fraction(self.linear))]
        rooms += [] if low is None else [float(Fraction(self.linear) - low)]
        return min(rooms)

    @property
    def broken(self) -> str:
        """How the limit is broken; empty when it holds."""
        if self.group.is_ratio:
            holds = within(float(self.linear), 0.0, scale=self.scale)
            return "" if holds else f"the ratio is {self.ratio}"
        high, low = self.group.at_most, self.group.at_least
        if high is not None and self._passes(self.linear - high):
            return f"{float(self.linear):,.6f} is above {float(high):,.6f}"
        if low is not None and self._passes(low - self.linear):
            return f"{float(self.linear):,.6f} is below {float(low):,.6f}"
        return ""

    def _passes(self, over: Fraction | float) -> bool:
        """Whether a sum passes its bound: integers by anything, floats by more than rounding."""
        if self.group.is_exact:
            return over > 0
        return not within(float(over), 0.0, scale=self.scale)


def parts(sums: Sums) -> Iterator[LimitPart]:
    """Return every limit with its sums, the budget first."""
    for usage in sums.usages:
        group = usage.group
        for index, name in enumerate(group.names):
            totals = [total[..., index] for total in usage.totals]
            if group.is_exact:
                unit = 1 if group.measures[0] == ISSUED else MICROS
                exact = tuple(Fraction(joined(total), unit) for total in totals)
            largest = [float(scale[index]) for scale in usage.scales]
            yield LimitPart(
                name=name,
                group=group,
                sums=exact if group.is_exact else tuple(map(float, totals)),
                scale=float(exact[0]) if group.is_exact else _scale(group, largest),
            )


def check_limits(run: StatedRun, sums: Sums) -> tuple[Check, ...]:
    """Check the certificate's limits against the policy and the sums."""
    every = list(parts(sums))
    stated = {limit.name: limit for limit in run.certificate.limits}
    pairs = [(part, stated[part.name]) for part in every if part.name in stated]
    return (
        _listed(run, every),
        _budget(every),
        _hold(every),
        _bounds(pairs),
        _usage(pairs),
        _prices(pairs),
    )


def _scale(group: LimitGroup, scales: list[float]) -> float:
    if not group.is_ratio:
        return scales[0]
    return scales[0] + abs(float(group.at_least or group.at_most or 0)) * scales[1]


def _listed(run: StatedRun, every: list[LimitPart]) -> Check:
    findings = CheckFindings(
        "limits listed", "the certificate lists each limit of the policy once"
    )
    names = [limit.name for limit in run.certificate.limits]
    expected = {part.name for part in every}
    for name in sorted({name for name in names if names.count(name) > 1}):
        findings.add(say("`{name}` stands twice", name=name))
    for name in sorted(expected - set(names)):
        findings.add(say("`{name}` is missing", name=name))
    for name in sorted(set(names) - expected):
        findings.add(say("`{name}` is not in the policy", name=name))
    return findings.check()


def _budget(every: list[LimitPart]) -> Check:
    findings = CheckFindings("budget", "the integer sum is within the budget, with no tolerance")
    for part in every:
        if part.name == BUDGET and part.broken:
            findings.add(say("the plan breaks the budget: {broken}", broken=part.broken))
    return findings.check()


def _hold(every: list[LimitPart]) -> Check:
    findings = CheckFindings("limits", "every enforced limit holds: money and users exactly")
    for part in every:
        if part.name != BUDGET and not part.group.report_only and part.broken:
            findings.add(
                say("the plan breaks `{name}`: {broken}", name=part.name, broken=part.broken)
            )
    return findings.check()


def _bounds(pairs: list[tuple[LimitPart, StatedLimit]]) -> Check:
    findings = CheckFindings("limit bounds", "the stated bounds are the policy's")
    for part, limit in pairs:
        for word, bound, number in _stated_bounds(part, limit):
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
        if limit.report_only != part.group.report_only:
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
    for part, limit in pairs:
        for word, number, expected in (
            ("usage", limit.usage, float(part.linear)),
            ("slack", limit.slack, part.slack),
        ):
            if not _same_sum(number, expected, part=part):
                findings.add(
                    say(
                        "`{name}`: {word} is {number}, recomputed {expected}",
                        name=limit.name,
                        word=word,
                        number=number,
                        expected=expected,
                    )
                )
        if (limit.ratio is not None) is not part.group.is_ratio:
            findings.add(say("`{name}`: its ratio is {ratio}", name=limit.name, ratio=limit.ratio))
        elif limit.ratio is not None:
            stated, ratio = limit.ratio.usage, part.ratio
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
    for part, limit in pairs:
        high, low = (bound is not None for bound in part.bounds)
        if part.group.report_only:
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
