"""Intervals that covariates narrow still hold the truth as often as they say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from incentive_engine.domain import BoolArray, FloatArray, IntArray
from incentive_engine.stats.holdout_effect import difference_from_holdout

USERS, CAMPAIGNS, EFFECT = 4_000, 400, 0.03


class Drawn(NamedTuple):
    """What users did, who was held out, their strata, two predictions, and the true effect."""

    bought: FloatArray
    held: BoolArray
    stratum: IntArray
    predicted: FloatArray
    effect: float


def campaign(rng: np.random.Generator) -> Drawn:
    """Return a campaign among users some of whom buy nearly always, and most hardly ever."""
    habit = rng.beta(0.15, 0.5, USERS)
    stratum = rng.integers(0, 2, USERS)
    held = rng.random(USERS) < np.where(stratum == 1, 0.25, 0.1)
    treated = np.clip(habit + EFFECT, 0, 1)
    bought = rng.random(USERS) < np.where(held, habit, treated)
    predicted = np.column_stack([habit + rng.normal(0, 0.05, USERS), rng.normal(0, 1, USERS)])
    effect = float((treated - habit)[~held].mean())
    return Drawn(bought.astype(np.float64), held, stratum, predicted, effect)


def test_narrowed_intervals_hold_the_truth_as_often_as_stated() -> None:
    """Of 400 campaigns, 95 % are held; fewer than 92 % would come once in 200 runs of the test."""
    kept, wide, narrow = 0, [], []
    rng = np.random.default_rng(3)
    for _ in range(CAMPAIGNS):
        bought, held, stratum, predicted, effect = campaign(rng)
        plain = difference_from_holdout(bought, held=held, stratum=stratum)
        known = difference_from_holdout(bought, held=held, stratum=stratum, covariates=predicted)
        kept += known.low <= effect <= known.high
        wide.append(plain.standard_error)
        narrow.append(known.standard_error)
    assert 0.92 <= kept / CAMPAIGNS <= 0.985
    assert np.mean(narrow) < 0.7 * np.mean(wide)


def test_predictions_that_tell_nothing_cost_nothing() -> None:
    rng = np.random.default_rng(4)
    bought, held, stratum, _, _ = campaign(rng)
    noise = rng.normal(0, 1, (USERS, 6))
    plain = difference_from_holdout(bought, held=held, stratum=stratum)
    known = difference_from_holdout(bought, held=held, stratum=stratum, covariates=noise)
    assert known.standard_error == pytest.approx(plain.standard_error, rel=0.01)
    assert known.value == pytest.approx(plain.value, abs=plain.standard_error / 3)


def test_columns_that_repeat_or_never_change_are_no_matter() -> None:
    rng = np.random.default_rng(5)
    bought, held, stratum, predicted, _ = campaign(rng)
    once = difference_from_holdout(bought, held=held, stratum=stratum, covariates=predicted)
    again = np.column_stack([predicted, predicted * 2, np.ones(USERS)])
    twice = difference_from_holdout(bought, held=held, stratum=stratum, covariates=again)
    none = difference_from_holdout(bought, held=held, stratum=stratum, covariates=again[:, :0])
    assert twice.value == pytest.approx(once.value, abs=1e-9)
    assert none.value == difference_from_holdout(bought, held=held, stratum=stratum).value
