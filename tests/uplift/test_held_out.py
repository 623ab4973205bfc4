"""The increment by the holdout: right on average, and as uncertain as it says."""

import numpy as np
import pytest

from incentive_engine.stats.holdout_effect import difference_from_holdout


def test_strata_are_compared_with_their_own_holdout() -> None:
    outcome = np.array([1.0, 3.0, 0.0, 2.0, 10.0, 12.0, 7.0, 9.0, 11.0])
    held = np.array([0, 0, 1, 1, 0, 0, 1, 1, 0], dtype=bool)
    stratum = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    found = difference_from_holdout(outcome, held=held, stratum=stratum)
    assert found.value == pytest.approx((2 * (2 - 1) + 3 * (11 - 8)) / 5)
    others, kept = (1 + 1 + 1 + 1) / 3, (1 + 1 + 1 + 1) / 2
    variance = others * (0.16 / 2 + 0.36 / 3) + kept * (0.16 / 2 + 0.36 / 2)
    assert found.standard_error == pytest.approx(np.sqrt(variance))


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_the_interval_holds_the_truth_as_often_as_it_says(rate: float) -> None:
    rng = np.random.default_rng(1)
    stratum = rng.choice(4, 4_000, p=[0.9, 0.05, 0.04, 0.01])
    base = rate * np.array([1.0, 2.5, 0.5, 2.0])[stratum]
    effect = 0.2 * base
    held = np.zeros((1_000, len(stratum)), dtype=bool)
    inside, errors, found_at = [], [], []
    for draw in held:
        for each in range(4):
            mine = np.flatnonzero(stratum == each)
            draw[rng.choice(mine, round(0.1 * len(mine)), replace=False)] = True
        outcome = (rng.random(len(base)) < base + np.where(draw, 0.0, effect)).astype(float)
        found = difference_from_holdout(outcome, held=draw, stratum=stratum)
        truth = effect[~draw].mean()
        inside.append(found.low <= truth <= found.high)
        errors.append(found.standard_error)
        found_at.append(found.value - truth)
    spread = np.std(found_at)
    assert abs(np.mean(found_at)) < 4 * spread / np.sqrt(len(held))
    assert np.mean(errors) == pytest.approx(spread, rel=0.12)
    assert np.mean(inside) >= 0.93


def test_strata_with_too_few_of_either_kind_stand_together() -> None:
    outcome = np.array([1.0, 1.0, 0.0, 0.0, 5.0, 5.0, 6.0, 3.0, 2.0])
    held = np.array([0, 0, 1, 1, 0, 1, 0, 0, 1], dtype=bool)
    stratum = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2])
    found = difference_from_holdout(outcome, held=held, stratum=stratum)
    together = difference_from_holdout(outcome, held=held, stratum=np.minimum(stratum, 1))
    assert found == together


def test_a_small_stratum_that_cannot_stand_alone_joins_the_largest() -> None:
    outcome = np.array([1.0, 1.0, 0.0, 0.0, 5.0])
    held = np.array([0, 0, 1, 1, 0], dtype=bool)
    found = difference_from_holdout(outcome, held=held, stratum=np.array([0, 0, 0, 0, 1]))
    whole = difference_from_holdout(outcome, held=held, stratum=np.zeros(5, dtype=np.int64))
    assert found == whole


@pytest.mark.parametrize("held", [[True] * 3 + [False], [False] * 4])
def test_without_two_of_either_kind_nothing_is_known(held: list[bool]) -> None:
    found = difference_from_holdout(
        np.arange(4.0), held=np.array(held), stratum=np.zeros(4, dtype=np.int64)
    )
    assert found.standard_error == np.inf
