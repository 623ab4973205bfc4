from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.stats.power import detectable_effect, power_of

RATES = st.floats(0.001, 0.5)
SIZES = st.integers(500, 1_000_000)


@given(base=RATES, treated=SIZES, control=SIZES)
def test_the_detectable_effect_is_found_four_times_in_five(
    base: float, treated: int, control: int
) -> None:
    effect = detectable_effect(base, treated, control)
    if np.isfinite(effect):
        assert abs(power_of(base, effect, treated, control) - 0.8) < 1e-6


@given(base=RATES, treated=SIZES, control=SIZES)
def test_more_rows_never_hide_an_effect(base: float, treated: int, control: int) -> None:
    few = detectable_effect(base, treated, control)
    assert detectable_effect(base, 2 * treated, 2 * control) <= few


def test_an_empty_arm_detects_nothing() -> None:
    assert detectable_effect(0.1, 0, 100) == float("inf")
    assert power_of(0.1, 0.05, 100, 0) == 0


def test_simulated_trials_find_the_effect_as_often_as_stated() -> None:
    """The share of 4,000 trials has a standard error of 0.6 points; 4 of them fail once in 2e4."""
    base, rows = 0.05, 4_000
    effect = detectable_effect(base, rows, rows)
    rng = np.random.default_rng(0)
    won = rng.binomial(rows, base + effect, 4_000) / rows
    without = rng.binomial(rows, base, 4_000) / rows
    pooled = (won + without) / 2
    z = (won - without) / np.sqrt(2 * pooled * (1 - pooled) / rows)
    assert abs((np.abs(z) > 1.96).mean() - 0.8) < 4 * 0.0063
