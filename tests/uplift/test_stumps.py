from __future__ import annotations

import json

import numpy as np
import pytest

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.effects.bins import MISSING, Bins
from incentive_engine.uplift.effects.stump_fit import Binned, Strength, boost
from incentive_engine.uplift.effects.stumps import Stumps

ROWS = 400
STRENGTH = Strength(stumps=12, rate=0.3, rows_per_leaf=25, l2=2.0)


@pytest.fixture
def matrix() -> np.ndarray:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(ROWS, 4)).astype(np.float32)
    values[rng.random(ROWS) < 0.2, 1] = np.nan
    values[:, 2] = np.round(values[:, 2])
    values[:, 3] = 7
    return values


@pytest.fixture
def folds() -> Folds:
    return Folds(label=np.random.default_rng(1).integers(0, 3, ROWS), count=3)


@pytest.fixture
def label(matrix: np.ndarray) -> FloatArray:
    noise = np.random.default_rng(2).normal(size=ROWS)
    signal = np.where(np.isnan(matrix[:, 1]), 2, matrix[:, 0] > 0.4) + np.abs(matrix[:, 2])
    return np.asarray(signal + noise)


WEIGHT = np.random.default_rng(3).random(ROWS)


def boosted(matrix: np.ndarray, label: FloatArray, folds: Folds) -> Stumps:
    bins = Bins.of(matrix)
    binned = Binned.of(bins.codes(matrix), folds)
    labels = np.tile(label[binned.order], (folds.count, 1))
    value = boost(binned, label=labels, weight=WEIGHT[binned.order], strength=STRENGTH)
    return Stumps.of(bins, value[..., None], binned.count.sum(axis=0))


def row_by_row(
    matrix: np.ndarray, label: FloatArray, weight: FloatArray, asked: np.ndarray
) -> FloatArray:
    """Boost stumps the plain way: every split of every feature, judged by all rows each time."""
    left, found = label.copy(), np.zeros(len(asked))
    for _ in range(STRENGTH.stumps):
        best, step = 0.0, None
        for column in range(matrix.shape[1]):
            values = matrix[:, column]
            for limit in np.unique(values[~np.isnan(values)]):
                for missing in (True, False):
                    low = np.where(np.isnan(values), missing, values <= limit)
                    if min(low.sum(), (~low).sum()) < STRENGTH.rows_per_leaf:
                        continue
                    pulls = [float((weight * left)[side].sum()) for side in (low, ~low)]
                    masses = [float(weight[side].sum()) + STRENGTH.l2 for side in (low, ~low)]
                    gain = sum(p**2 / m for p, m in zip(pulls, masses, strict=True))
                    gain -= sum(pulls) ** 2 / (sum(masses) - STRENGTH.l2)
                    if gain > best:
                        leaf = [STRENGTH.rate * p / m for p, m in zip(pulls, masses, strict=True)]
                        best, step = gain, (column, limit, missing, leaf, low)
        if step is None:
            break
        column, limit, missing, leaf, low = step
        left = left - np.where(low, *leaf)
        theirs = asked[:, column]
        found += np.where(np.where(np.isnan(theirs), missing, theirs <= limit), *leaf)
    return found


def test_sums_over_bins_boost_what_rows_do(
    matrix: np.ndarray, label: FloatArray, folds: Folds
) -> None:
    matrix[:, 0] = np.round(matrix[:, 0], 1)  # so that every value has a bin of its own
    matrix[:, 1] = np.round(matrix[:, 1], 1)
    found = boosted(matrix, label, folds).predict(matrix, folds=folds)
    for fold in range(folds.count):
        seen, asked = folds.outside(fold), folds.inside(fold)
        plain = row_by_row(matrix[seen], label[seen], WEIGHT[seen], matrix[asked])
        np.testing.assert_allclose(found[asked, 0], plain, atol=1e-12)


def test_people_of_no_fold_get_the_mean_of_all_versions(
    matrix: np.ndarray, label: FloatArray, folds: Folds
) -> None:
    stumps = boosted(matrix, label, folds)
    every = [
        stumps.predict(matrix, folds=Folds(label=np.full(ROWS, fold), count=3))
        for fold in range(folds.count)
    ]
    np.testing.assert_allclose(stumps.predict(matrix, folds=None), np.mean(every, axis=0))


def test_parts_and_average_add_up(matrix: np.ndarray, label: FloatArray, folds: Folds) -> None:
    stumps = boosted(matrix, label, folds)
    parts = stumps.contributions(matrix)
    total = stumps.predict(matrix, folds=None)
    np.testing.assert_allclose(parts.sum(axis=1) + stumps.average.sum(axis=0), total)
    np.testing.assert_allclose(parts.mean(axis=0), 0, atol=1e-12)


def test_a_constant_feature_is_left_out(
    matrix: np.ndarray, label: FloatArray, folds: Folds
) -> None:
    assert 3 not in boosted(matrix, label, folds).column


def test_what_was_never_missing_counts_as_the_average_where_it_is(
    matrix: np.ndarray, label: FloatArray, folds: Folds
) -> None:
    stumps = boosted(matrix, label, folds)
    asked = matrix[:1].copy()
    asked[0, 0] = np.nan
    np.testing.assert_allclose(stumps.contributions(asked)[0, 0], 0, atol=0.05)


def test_a_file_keeps_every_bit(matrix: np.ndarray, label: FloatArray, folds: Folds) -> None:
    stumps = boosted(matrix, label, folds)
    again = Stumps.from_json(json.loads(json.dumps(stumps.to_json())))
    for which in (folds, None):
        found = again.predict(matrix, folds=which)
        assert found.tobytes() == stumps.predict(matrix, folds=which).tobytes()


def test_many_values_share_bins_of_equally_many_rows() -> None:
    values = np.random.default_rng(0).normal(size=(50_000, 1)).astype(np.float32)
    values[::10] = np.nan
    codes = Bins.of(values).codes(values)
    count = np.bincount(codes[0])
    assert len(count) == MISSING + 1
    assert count[MISSING] == 5_000
    assert np.ptp(count[:MISSING]) <= 2


def test_a_feature_that_is_always_missing_has_one_bin() -> None:
    values = np.full((30, 1), np.nan, np.float32)
    assert (Bins.of(values).codes(values) == MISSING).all()
