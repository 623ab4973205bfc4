from __future__ import annotations

import numpy as np
import pytest

from incentive_engine.uplift.evaluation.ranking import auuc, groups, qini, ranks, slope

PREDICTED = np.array([4.0, 3.0, 2.0, 1.0])
INCREMENT = np.array([1.0, 1.0, 0.0, 0.0])
ONE_FOLD = np.zeros(50_000, dtype=np.int64)


def test_the_area_of_four_users_is_that_of_the_hand_solution() -> None:
    """Ranks from the top are 1/8, 3/8, 5/8, 7/8: (7/8 + 5/8) / 4 = 3/8; random is 1/4."""
    assert auuc(ranks(PREDICTED), INCREMENT).value == pytest.approx(3 / 8)
    assert qini(ranks(PREDICTED), INCREMENT).value == pytest.approx(3 / 8 - 1 / 4)


def test_a_constant_prediction_ranks_nobody() -> None:
    assert qini(ranks(np.ones(4)), INCREMENT).value == 0
    assert slope(np.ones(4), INCREMENT, ONE_FOLD[:4]) is None
    assert len(groups(np.ones(4), INCREMENT, np.ones(4))) == 1


def test_reversing_the_ranking_reverses_qini() -> None:
    forward, backward = (
        qini(ranks(predicted), INCREMENT) for predicted in (PREDICTED, -PREDICTED)
    )
    assert backward.value == pytest.approx(-forward.value)


def test_predictions_twice_too_bold_have_slope_one_half() -> None:
    rng = np.random.default_rng(0)
    effect = rng.normal(size=50_000)
    found = slope(2 * effect, effect + rng.normal(size=50_000), ONE_FOLD)
    assert found is not None
    assert found.value == pytest.approx(0.5, abs=5 * found.standard_error)
    assert found.standard_error < 0.01


@pytest.mark.parametrize("rows", [2, 3, 6, 9, 12])
def test_no_group_has_a_single_row(rows: int) -> None:
    predicted = np.square(np.arange(rows, dtype=np.float64))
    made = groups(predicted, predicted, np.ones(rows))
    assert sum(group.rows for group in made) == rows
    assert all(np.isfinite(group.observed.standard_error) for group in made)


def test_the_slope_of_cross_fitted_noise_is_covered() -> None:
    """A 95 % interval misses more than 31 of 300 with probability 1e-4.

    Nothing differs between 40 groups, whose means outside each fold are the predictions: the true
    slope is 0. Each outcome counts in the others' predictions, which doubles the variance.
    """
    missed = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        group, fold = rng.integers(0, 40, 1_000), rng.integers(0, 5, 1_000)
        outcome = rng.normal(size=1_000)
        predicted = np.empty(1_000)
        for label in range(5):
            mine = fold == label
            total = np.bincount(group[~mine], weights=outcome[~mine], minlength=40)
            predicted[mine] = (total / np.bincount(group[~mine], minlength=40))[group[mine]]
        found = slope(predicted, outcome, fold)
        assert found is not None
        missed += not found.low <= 0 <= found.high
    assert missed <= 31


def test_groups_hold_all_users_in_order_of_prediction() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.normal(size=1_003)
    made = groups(predicted, predicted, np.ones(1_003))
    assert sum(group.rows for group in made) == 1_003
    means = [group.predicted for group in made]
    assert means == sorted(means)
    assert [group.observed.value for group in made] == pytest.approx(means)
