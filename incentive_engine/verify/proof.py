"""Checks of the certificate's totals: value, bound, gap, counts and money."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from incentive_engine.domain import MICROS
from incentive_engine.language import say

from .files import StatedRun
from .recomputed.arithmetic import RELATIVE, agree, same_total
from .recomputed.sums import Sums, parts
from .result import Check, CheckFindings


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenBound:
    """What the stated prices prove.

    Attributes
    ----------
    amount
        The bound: every term is rounded once, their sum is exact.
    error
        How far the roundings may have moved it; infinite where nothing is known.
    tolerance
        How far a stated bound may be off, and the value above it. It grows with value and bound,
        never with terms that cancel: prices of ±1e20 would hide any gap behind their roundings.
    """

    amount: float
    error: float
    tolerance: float


def check_proof(run: StatedRun, sums: Sums) -> tuple[Check, ...]:
    """Check what the certificate says about the whole plan."""
    bound = dual_bound(run, sums)
    return (
        _counts(run, sums),
        _money(run, sums),
        _value(run, sums),
        _bound(run, sums, bound),
        _gap(run, sums, bound=bound.amount),
        _feasible(run, sums),
    )


def dual_bound(run: StatedRun, sums: Sums) -> ProvenBound:
    """Return the weak-duality bound of the stated prices.

    Notes
    -----
    Σ_users max(0, max over eligible offers (value - Σ price·usage)) + Σ price·(at_most where the
    price is positive, else at_least); a ratio's linear form is bounded by 0. Without the 0 where
    each user must get an offer. Users of the holdout count in neither; those who explore count
    with the arm that was drawn, whose term has no maximum.
    """
    prices = {limit.name: limit.price or 0.0 for limit in run.certificate.limits}
    exact = sums.dual
    for own in parts(sums):
        # in fractions: prices of opposite signs may cancel to what floats would have lost
        price = Fraction(prices.get(own.name, 0.0))
        if not own.group.is_ratio and not own.group.report_only:
            side = own.group.at_most if price > 0 else own.group.at_least
            exact += price * (side or 0)
    try:
        amount = float(exact)
    except OverflowError:
        amount = math.inf
    # part of all that the offers could be worth without limits that no proof need resolve: where
    # the budget is nothing, value and bound are, and rounding is all that is left
    negligible = 1e-12
    tolerance = RELATIVE * max(abs(amount), sums.value_scale) + negligible * sums.potential
    if not math.isfinite(tolerance):
        # what passes float64 proves nothing, and an infinite tolerance would let all pass
        return ProvenBound(amount=amount, error=math.inf, tolerance=0.0)
    return ProvenBound(amount=amount, error=sums.dual_error, tolerance=tolerance)


def _counts(run: StatedRun, sums: Sums) -> Check:
    findings = CheckFindings("counts", "users and treated users are counted right")
    for word, stated, expected in (
        ("users", run.certificate.users, sums.users),
        ("treated", run.certificate.treated, sums.treated),
    ):
        if stated != expected:
            findings.add(
                say(
                    "{word} is {stated:,}, counted {expected:,}",
                    word=word,
                    stated=stated,
                    expected=expected,
                )
            )
    return findings.check()


def _money(run: StatedRun, sums: Sums) -> Check:
    findings = CheckFindings("money", "spent and spent_face are the sums over the chosen pairs")
    for word, stated, micros in (
        ("spent", run.certificate.budget.spent, sums.cost_micros),
        ("spent_face", run.certificate.budget.spent_face, sums.face_micros),
    ):
        expected = float(Fraction(micros, MICROS))
        if not same_total(stated, expected, largest=expected):
            findings.add(
                say(
                    "{word} is {stated:,.6f}, summed {expected:,.6f}",
                    word=word,
                    stated=stated,
                    expected=expected,
                )
            )
    return findings.check()


def _value(run: StatedRun, sums: Sums) -> Check:
    findings = CheckFindings(
        "value", "the value is the sum of weight x measure over the chosen pairs"
    )
    if not agree(run.certificate.value, sums.value, scale=sums.value_scale):
        findings.add(
            say(
                "the value is {value}, recomputed {recomputed}",
                value=repr(run.certificate.value),
                recomputed=repr(sums.value),
            )
        )
    return findings.check()


def _bound(run: StatedRun, sums: Sums, bound: ProvenBound) -> Check:
    findings = CheckFindings(
        "bound", "the bound follows from the prices by weak duality, above the value"
    )
    if not bound.error <= bound.tolerance:
        findings.add(
            say(
                "the prices cancel each other so far that they prove {amount} only to ± "
                "{error:.3g}",
                amount=repr(bound.amount),
                error=bound.error,
            )
        )
    if not abs(run.certificate.bound - bound.amount) <= bound.tolerance:
        findings.add(
            say(
                "the bound is {bound}, recomputed {amount}",
                bound=repr(run.certificate.bound),
                amount=repr(bound.amount),
            )
        )
    if not sums.value - bound.amount <= bound.tolerance:
        findings.add(
            say(
                "the recomputed bound {amount} is below the value {value}",
                amount=repr(bound.amount),
                value=repr(sums.value),
            )
        )
    return findings.check()


def _gap(run: StatedRun, sums: Sums, *, bound: float) -> Check:
    findings = CheckFindings("gap", "the gap is (bound - value) / |bound|")
    expected = (bound - sums.value) / abs(bound) if bound else 0.0
    if not agree(run.certificate.gap, expected, scale=1.0):
        findings.add(
            say(
                "the gap is {gap}, recomputed {expected}",
                gap=repr(run.certificate.gap),
                expected=repr(expected),
            )
        )
    return findings.check()


def _feasible(run: StatedRun, sums: Sums) -> Check:
    findings = CheckFindings("feasible", "the plan is feasible, as stated")
    holds = not any(limit.broken for limit in parts(sums) if not limit.group.report_only)
    if not run.certificate.feasible:
        findings.add("the certificate says that the plan is not feasible")
    elif not holds:
        findings.add("the certificate says feasible, but limits are broken")
    return findings.check()
