"""What can be told from a holdout afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from incentive_engine.insight.value.plan_gain import PlanGain
from incentive_engine.insight.value.randomised import measurability
from incentive_engine.stats.estimate import Estimate


def gain(*, conversions: float, users: int, rate: float | None) -> PlanGain:
    total = Estimate(value=conversions, low=0.0, high=0.0)
    return PlanGain(
        profit=None,
        conversions=total,
        spend=total,
        cost=total,
        rows=0,
        rule=np.empty(0, dtype=np.int16),
        users=users,
        baseline={"conversion_rate": rate, "median_basket": None},
    )


def test_the_interval_of_a_difference_is_as_wide_as_its_simulation() -> None:
    held, users, rate, effect = 2_000, 30_000, 0.08, 0.02
    found = measurability(gain(conversions=effect * users, users=users, rate=rate), held=held)
    assert found is not None
    rng = np.random.default_rng(0)
    seen = rng.binomial(users, rate + effect, 40_000) / users
    seen -= rng.binomial(held, rate, 40_000) / held
    assert found.precision == pytest.approx(1.96 * seen.std(), rel=0.03)
    assert found.expected == pytest.approx(effect)
    # a test at 5 % finds what is further from zero than 1.96 standard errors without an effect
    pooled = (users * (rate + effect) + held * rate) / (users + held)
    error = np.sqrt(pooled * (1 - pooled) * (1 / users + 1 / held))
    assert found.power == pytest.approx((np.abs(seen) > 1.96 * error).mean(), abs=0.01)
    assert found.detectable < effect


def test_without_conversions_in_the_trial_nothing_is_promised() -> None:
    for rate in (None, 0.0):
        assert measurability(gain(conversions=5, users=100, rate=rate), held=10) is None
