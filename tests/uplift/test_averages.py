from __future__ import annotations

import numpy as np
import pytest

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.averages import Averages, average_effects
from incentive_engine.uplift.folds import Folds
from incentive_engine.uplift.randomisation import Randomisation

ROWS = (4_000, 2_000, 2_000, 20)
"""Of control and of three offers; the last was hardly tried."""


def averages_of(*means: float) -> Averages:
    """Return what is believed of three offers that changed the mean by so much, noise ± 0.2."""
    arm = np.repeat(np.arange(4), ROWS)
    n = len(arm)
    share = np.array(ROWS) / n
    residual: FloatArray = np.array([0.0, *means])[arm] + np.where(np.arange(n) % 2, 0.2, -0.2)
    lottery = Randomisation(
        arm=arm,
        weight=np.ones(n),
        share=np.tile(share, (n, 1)),
        reach=np.ones((n, 3), dtype=np.bool_),
        odds=share[1:] / share[0],
    )
    return average_effects(residual, lottery, Folds(label=np.arange(n) // 2 % 5, count=5))


def test_an_offer_hardly_tried_is_believed_to_work_about_as_well_as_the_others() -> None:
    """Its standard error is 0.04: nothing that it showed speaks against 0.05, nor for 0."""
    for shown in (0.0, 0.1):
        first, second, few = averages_of(0.05, 0.05, shown).effect
        assert first == pytest.approx(0.05, rel=0.02)
        assert second == pytest.approx(0.05, rel=0.02)
        assert abs(few - 0.05) < 0.5 * abs(shown - 0.05)


def test_offers_of_different_strength_are_told_apart_where_they_are_measured() -> None:
    """Their standard error is 0.005, a ninth of the difference."""
    first, second, _ = averages_of(0.05, -0.04, 0.0).effect
    assert first == pytest.approx(0.05, rel=0.1)
    assert second == pytest.approx(-0.04, rel=0.1)


def test_where_offers_do_nothing_that_is_measurable_effects_shrink() -> None:
    shown = np.array([0.003, -0.002, 0.02])
    assert (np.abs(averages_of(*shown).effect) < 0.5 * np.abs(shown)).all()
