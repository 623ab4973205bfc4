"""Effects that follow what people would do anyway."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from incentive_engine.uplift.boosting.boosting import expit
from incentive_engine.uplift.crossfit import draw_folds
from incentive_engine.uplift.effects.prognosis import Prognosis, learn_prognosis

ROWS = 100_000
AVERAGE = 0.2
BELIEVED = (0.1, 0.2)


def learned(
    slope: float, *, rows: int = ROWS, average: float = AVERAGE, told: bool = True
) -> Prognosis:
    """Learn from residuals of deviation 0.5 on one offer that half of the rows got."""
    rng = np.random.default_rng(0)
    log_odds = rng.normal(-1.0, 1.0, rows)
    variance = expit(log_odds) * (1 - expit(log_odds))
    contrast = rng.choice([-0.5, 0.5], size=(rows, 1))
    effect = average * (1 + slope * (variance / variance.mean() - 1))
    residual = contrast[:, 0] * effect + 0.5 * rng.normal(size=rows)
    return learn_prognosis(
        log_odds if told else rng.permutation(log_odds),
        event=(rng.random(rows) < expit(log_odds)).astype(float),
        average=np.full((4, 1), average),
        contrast=contrast,
        residual=residual,
        precision=np.full(rows, 4.0),
        folds=draw_folds(pd.Series(range(rows)), count=4, rng=rng),
        believed=BELIEVED,
    )


@pytest.mark.parametrize("slope", [-0.5, 0.0, 1.0])
def test_many_rows_tell_how_far_effects_follow_the_prognosis(slope: float) -> None:
    """The claim has a deviation of 0.05 in 100,000 rows: an error of 0.03."""
    assert learned(slope).slope == pytest.approx(slope, abs=0.12)


def test_few_rows_and_no_average_effect_leave_the_belief_in_force() -> None:
    assert learned(1.0, rows=200).slope == pytest.approx(BELIEVED[0], abs=0.1)
    assert learned(1.0, average=1e-6).slope == pytest.approx(BELIEVED[0], abs=0.01)


def test_a_prognosis_that_is_noise_tells_nothing_of_effects() -> None:
    """The slope of events on such chances has an error of 0.008."""
    assert abs(learned(1.0, told=False).slope) < 0.01


def test_a_fold_has_no_say_in_its_own_slope() -> None:
    """Slopes without a fold differ by what its quarter of the rows says."""
    found = learned(0.5, rows=5_000)
    assert len(set(found.slope_outside.tolist())) == 4
    assert found.slope_outside.mean() == pytest.approx(float(found.slope), abs=0.05)


def test_nobody_is_further_from_the_average_than_three_times_it() -> None:
    prognosis = Prognosis(
        usual=np.asarray(0.01), slope=np.asarray(1.0), slope_outside=np.array([0.5, 1.0])
    )
    assert prognosis.share(np.array([0.0, -50.0]), None) == pytest.approx([3.0, -1.0])
    both = prognosis.share(np.array([-50.0, -50.0]), np.array([0, 1]))
    assert both == pytest.approx([-0.5, -1.0])
