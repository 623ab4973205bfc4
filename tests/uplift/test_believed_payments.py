"""Totals of payments rest on how many should have converted, not on how many happened to."""

from __future__ import annotations

import numpy as np

from incentive_engine.uplift.nuisance.believed_payments import believed_payments

ROWS = 5_000
TRIALS = 200


def _relative_errors(*, redeemed_with_conversion: bool) -> tuple[float, float]:
    """Return the relative error of the paid total over trials, as it is and as is believed."""
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.0, 0.1, ROWS)
    expected = 9.0 * chance.sum()
    totals = []
    for _ in range(TRIALS):
        conversion = (rng.random(ROWS) < chance).astype(np.float64)
        cause = conversion if redeemed_with_conversion else rng.random(ROWS) < chance
        paid = 10.0 * (rng.random(ROWS) < 0.9) * cause
        believed = believed_payments(paid, conversion, chance, np.ones(ROWS))
        totals.append((paid.sum(), believed.sum()))
    plain, known = (np.array(totals) / expected - 1).T
    return float(np.sqrt((plain**2).mean())), float(np.sqrt((known**2).mean()))


def test_the_luck_of_conversions_is_taken_out_of_payments_that_come_with_them() -> None:
    """Nine in ten conversions pay: a tenth of the variance is left, a third of the error."""
    plain, believed = _relative_errors(redeemed_with_conversion=True)
    assert 0.05 < plain < 0.08
    assert believed < 0.45 * plain


def test_payments_that_have_nothing_to_do_with_conversions_stay_as_they_are() -> None:
    plain, believed = _relative_errors(redeemed_with_conversion=False)
    assert abs(believed - plain) < 0.1 * plain


def test_without_a_conversion_payments_are_what_they_were() -> None:
    paid, none = np.arange(4.0), np.zeros(4)
    assert (believed_payments(paid, none, np.full(4, 0.1), np.ones(4)) == paid).all()
