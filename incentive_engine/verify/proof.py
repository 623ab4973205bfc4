"""Checks of the certificate's totals: value, bound, gap, counts and money."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from incentive_engine.domain import MICROS

from .files import Run
from .replay import Replay
from .result import Check, Findings
from .tolerance import agree, same_total, within
from .totals import parts


def check_proof(run: Run, truth: Replay) -> tuple[Check, ...]:
    """Check what the certificate says about the whole plan."""
    bound, scale = dual_bound(run, truth)
    return (
        _counts(run, truth),
        _money(run, truth),
        _value(run, truth),
        _bound(run, truth, bound=bound, scale=scale),
        _gap(run, truth, bound=bound),
        _feasible(run, truth),
    )


def dual_bound(run: Run, truth: Replay) -> tuple[float, float]:
    """Return the weak-duality bound of the stated prices, and the sum of its absolute terms.

    Notes
    -----
    Σ_users max(0, max over eligible offers (value - Σ price·usage)) + Σ price·(at_most where the
    price is positive, else at_least); a ratio's linear form is bounded by 0. Without the 0 where
    each user must get an offer. Users of the holdout count in neither.
    """
    terms = truth.dual[~truth.holdout]
    prices = {limit.name: limit.price or 0.0 for limit in run.certificate.limits}
    sides = [
        prices.get(part.name, 0.0)
        * float(
            (part.group.at_most if prices.get(part.name, 0.0) > 0 else part.group.at_least) or 0
        )
        for part in parts(truth)
        if not part.group.is_ratio and not part.group.report_only
    ]
    total = float(terms.sum()) + float(np.sum(sides))
    return total, float(np.abs(terms).sum()) + float(np.abs(sides).sum())


def _counts(run: Run, truth: Replay) -> Check:  # noqa: ARG001 - one signature for all
    found = Findings("counts", "users and treated users are counted right")
    treated = int(np.count_nonzero(run.choice != -1))
    for word, stated, expected in (
        ("users", run.certificate.users, len(run.choice)),
        ("treated", run.certificate.treated, treated),
    ):
        if stated != expected:
            found.add(f"{word} is {stated:,}, counted {expected:,}")
    return found.check()


def _money(run: Run, truth: Replay) -> Check:
    found = Findings("money", "spent and spent_face are the sums over the chosen pairs")
    for word, stated, micros in (
        ("spent", run.certificate.budget.spent, truth.cost_micros),
        ("spent_face", run.certificate.budget.spent_face, truth.face_micros),
    ):
        expected = float(Fraction(int(micros.sum()), MICROS))
        if not same_total(stated, expected, largest=expected):
            found.add(f"{word} is {stated:,.6f}, summed {expected:,.6f}")
    return found.check()


def _value(run: Run, truth: Replay) -> Check:
    found = Findings("value", "the value is the sum of weight x measure over the chosen pairs")
    if not agree(run.certificate.value, truth.value, scale=truth.value_scale):
        found.add(f"the value is {run.certificate.value!r}, recomputed {truth.value!r}")
    return found.check()


def _bound(run: Run, truth: Replay, *, bound: float, scale: float) -> Check:
    found = Findings("bound", "the bound follows from the prices by weak duality, above the value")
    if not agree(run.certificate.bound, bound, scale=scale):
        found.add(f"the bound is {run.certificate.bound!r}, recomputed {bound!r}")
    if not within(truth.value, bound, scale=scale):
        found.add(f"the recomputed bound {bound!r} is below the value {truth.value!r}")
    return found.check()


def _gap(run: Run, truth: Replay, *, bound: float) -> Check:
    found = Findings("gap", "the gap is (bound - value) / |bound|")
    expected = (bound - truth.value) / abs(bound) if bound else 0.0
    if not agree(run.certificate.gap, expected, scale=1.0):
        found.add(f"the gap is {run.certificate.gap!r}, recomputed {expected!r}")
    return found.check()


def _feasible(run: Run, truth: Replay) -> Check:
    found = Findings("feasible", "the plan is feasible, as stated")
    holds = not any(part.broken for part in parts(truth) if not part.group.report_only)
    if not run.certificate.feasible:
        found.add("the certificate says that the plan is not feasible")
    elif not holds:
        found.add("the certificate says feasible, but limits are broken")
    return found.check()
