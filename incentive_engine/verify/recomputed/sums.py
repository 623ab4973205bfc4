"""What the blocks of a run add up to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from incentive_engine.domain import ISSUED, MICROS, FloatArray
from incentive_engine.language import Message

from .arithmetic import exact_total, joined, within
from .blocks import Block
from .pairs import BlockReplay
from .rules import LimitGroup, Rules


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Usage:
    """The sums behind one group of limits, per part.

    Attributes
    ----------
    totals
        One array per measure of the group: (parts,) float64, or for millionths of cost and face
        and for users issued (2, parts) int64, sums of halves as `arithmetic.halves`.
    scales
        Likewise the sums of absolute values, float64: what rounding errors grow with.
    """

    group: LimitGroup
    totals: list[npt.NDArray[Any]]
    scales: list[FloatArray]


@dataclass(slots=True, kw_only=True, eq=False)
class Sums:
    """Sums over the users; `add` takes one block after the other.

    Attributes
    ----------
    usages
        In the order of `limits.groups`.
    users, treated, held, explorers
        How many there are, have an offer, are of the holdout, and got their arm by lot.
    bad_scores
        Why scores cannot be planned with to how many of them there are.
    dearest
        The sum over users of the highest cost of any offer, currency units.
    cost_micros, face_micros
        Of the chosen pairs, exact.
    spend, spend_scale
        Of the chosen pairs, and of their absolute values; spend is None when it is unknown.
    noise
        The sum of c·(f − c) over chosen pairs of cost c below their face value f.
    value, value_scale
        Of the chosen pairs, and of their absolute values.
    settled_least, settled_most
        How many users did not get what the prices alone give, at least and at most: where two
        choices are worth the same but for rounding, nobody can tell.
    dual, dual_error
        Of the users' terms of the bound without the holdout, and how far rounding may have moved
        it.
    potential
        Of the most that any offer is worth to the objective, per user.
    """

    COUNTS: ClassVar = (
        "users", "treated", "held", "explorers", "bad_scores", "dearest", "cost_micros",
        "face_micros", "noise", "spend_scale", "value", "value_scale", "settled_least",
        "settled_most", "dual", "dual_error", "potential",
    )  # fmt: skip
    """What is added of two parts of the users, beside spend, which may be unknown, and usages."""

    usages: tuple[Usage, ...]
    spend: float | None
    spend_scale: float = 0.0
    users: int = 0
    treated: int = 0
    held: int = 0
    explorers: int = 0
    bad_scores: Counter[Message] = field(default_factory=Counter)
    dearest: float = 0.0
    cost_micros: int = 0
    face_micros: int = 0
    noise: float = 0.0
    value: float = 0.0
    value_scale: float = 0.0
    settled_least: int = 0
    settled_most: int = 0
    dual: Fraction = Fraction(0)
    dual_error: float = 0.0
    potential: float = 0.0

    @classmethod
    def of_nobody(cls, rules: Rules) -> Self:
        """Return zeros."""
        totals, scales = rules.empty_sums()
        return cls(
            usages=tuple(
                Usage(group=group, totals=total, scales=scale)
                for group, total, scale in zip(rules.groups, totals, scales, strict=True)
            ),
            spend=0.0 if rules.with_spend else None,
        )

    def add(self, block: Block, truth: BlockReplay) -> None:
        """Add a block."""
        self.users += len(block.choice)
        self.treated += int(np.count_nonzero(block.choice != -1))
        self.held += int(np.count_nonzero(truth.holdout))
        self.explorers += int(np.count_nonzero(truth.explores))
        self.bad_scores += truth.bad_scores
        self.dearest += truth.dearest
        self.cost_micros += exact_total(truth.cost_micros)
        self.face_micros += exact_total(truth.face_micros)
        # redemption pays f with probability c/f: variance c·(f − c), never below 0
        cost, face = truth.cost_micros / MICROS, truth.face_micros / MICROS
        self.noise += float((cost * np.clip(face - cost, 0.0, None)).sum())
        if self.spend is not None and truth.spend is not None:
            self.spend += float(truth.spend.sum())
            self.spend_scale += float(np.abs(truth.spend).sum())
        self.value += float(truth.value.sum())
        self.value_scale += float(np.abs(truth.value).sum())
        self._add_dual(truth)
        self._add_settled(truth)
        for usage, totals, scales in zip(self.usages, truth.totals, truth.scales, strict=True):
            for measure in range(len(totals)):
                usage.totals[measure] += totals[measure]
                usage.scales[measure] += scales[measure]

    def join(self, later: Sums) -> None:
        """Add what later rows add up to; block by block, that is what `add` gives."""
        for name in self.COUNTS:
            setattr(self, name, getattr(self, name) + getattr(later, name))
        if self.spend is not None and later.spend is not None:
            self.spend += later.spend
        for own, more in zip(self.usages, later.usages, strict=True):
            for measure in range(len(own.totals)):
                own.totals[measure] += more.totals[measure]
                own.scales[measure] += more.scales[measure]

    def _add_dual(self, truth: BlockReplay) -> None:
        decided = ~truth.holdout
        terms = truth.dual[decided]
        self.potential += float(truth.potential.sum())
        try:
            # exact but for one rounding; NaN and infinity, or a sum of them, raise
            self.dual += Fraction(math.fsum(terms.tolist()))
        except (OverflowError, ValueError):
            # prices beyond float64: nothing is known of the bound
            self.dual_error = math.inf
            return
        self.dual_error += float((truth.dual_high[decided] - truth.dual_low[decided]).sum())

    def _add_settled(self, truth: BlockReplay) -> None:
        error, decided = truth.error, ~truth.holdout
        with np.errstate(invalid="ignore"):  # −inf where there is no choice, or no other one
            other = truth.own + error < truth.other - error
            may_be = truth.own - error <= truth.other + error
        has_both = np.isfinite(truth.own) & np.isfinite(truth.other)
        self.settled_least += int(np.count_nonzero(other & has_both & decided))
        self.settled_most += int(np.count_nonzero(may_be & has_both & decided))


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
        total: Fraction | float = self.group.linear_form(*self.sums)
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


def _scale(group: LimitGroup, scales: list[float]) -> float:
    if not group.is_ratio:
        return scales[0]
    return scales[0] + abs(float(group.at_least or group.at_most or 0)) * scales[1]
