"""Checks of the certificate's totals: value, bound, gap, counts and money."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from incentive_engine.domain import MICROS

from .arithmetic import agree, same_total, within
from .files import Run
from .result import Check, Findings
from .sums import Sums
from .totals import parts


def check_proof(run: Run, sums: Sums) -> tuple[Check, ...]:
    """Check what the certificate says about the whole plan."""
    bound, scale = dual_bound(run, sums)
    return (
        _counts(run, sums),
        _money(run, sums),
        _value(run, sums),
        _bound(run, sums, bound=bound, scale=scale),
        _gap(run, sums, bound=bound),
        _feasible(run, sums),
    )


def dual_bound(run: Run, sums: Sums) -> tuple[float, float]:
    """Return the weak-duality bound of the stated prices, and the sum of its absolute terms.

    Notes
    -----
    Σ_users max(0, max over eligible offers (value - Σ price·usage)) + Σ price·(at_most where the
    price is positive, else at_least); a ratio's linear form is bounded by 0. Without the 0 where
    each user must get an offer. Users of the holdout count in neither.
    """
    prices = {limit.name: limit.price or 0.0 for limit in run.certificate.limits}
    sides = [
        prices.get(part.name, 0.0)
        * float(
            (part.group.at_most if prices.get(part.name, 0.0) > 0 else part.group.at_least) or 0
        )
        for part in parts(sums)
        if not part.group.is_ratio and not part.group.report_only
    ]
    return sums.dual + float(np.sum(sides)), sums.dual_scale + float(np.abs(sides).sum())


def _counts(run: Run, sums: Sums) -> Check:
    found = Findings("counts", "users and treated users are counted right")
    for word, stated, expected in (
        ("users", run.certificate.users, sums.users),
        ("treated", run.certificate.treated, sums.treated),
    ):
        if stated != expected:
            found.add(f"{word} is {stated:,}, counted {expected:,}")
    return found.check()


def _money(run: Run, sums: Sums) -> Check:
    found = Findings("money", "spent and spent_face are the sums over the chosen pairs")
    for word, stated, micros in (
        ("spent", run.certificate.budget.spent, sums.cost_micros),
        ("spent_face", run.certificate.budget.spent_face, sums.face_micros),
    ):
        expected = float(Fraction(micros, MICROS))
        if not same_total(stated, expected, largest=expected):
            found.add(f"{word} is {stated:,.6f}, summed {expected:,.6f}")
    return found.check()


def _value(run: Run, sums: Sums) -> Check:
    found = Findings("value", "the value is the sum of weight x measure over the chosen pairs")
    if not agree(run.certificate.value, sums.value, scale=sums.value_scale):
        found.add(f"the value is {run.certificate.value!r}, recomputed {sums.value!r}")
    return found.check()


def _bound(run: Run, sums: Sums, *, bound: float, scale: float) -> Check:
    found = Findings("bound", "the bound follows from the prices by weak duality, above the value")
    if not agree(run.certificate.bound, bound, scale=scale):
        found.add(f"the bound is {run.certificate.bound!r}, recomputed {bound!r}")
    if not within(sums.value, bound, scale=scale):
        found.add(f"the recomputed bound {bound!r} is below the value {sums.value!r}")
    return found.check()


def _gap(run: Run, sums: Sums, *, bound: float) -> Check:
    found = Findings("gap", "the gap is (bound - value) / |bound|")
    expected = (bound - sums.value) / abs(bound) if bound else 0.0
    if not agree(run.certificate.gap, expected, scale=1.0):
        found.add(f"the gap is {run.certificate.gap!r}, recomputed {expected!r}")
    return found.check()


def _feasible(run: Run, sums: Sums) -> Check:
    found = Findings("feasible", "the plan is feasible, as stated")
    holds = not any(part.broken for part in parts(sums) if not part.group.report_only)
    if not run.certificate.feasible:
        found.add("the certificate says that the plan is not feasible")
    elif not holds:
        found.add("the certificate says feasible, but limits are broken")
    return found.check()
