from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from incentive_engine.uplift.boosting.boosting import (
    NOTHING_FURTHER,
    BinnedRows,
    CrossFitted,
    Recipe,
    predict,
    train,
)
from incentive_engine.uplift.boosting.forest import Forest

ROWS = 3_000


def trained(objective: str, *, leaves: int, rows_per_leaf: int) -> tuple[lgb.Booster, np.ndarray]:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(ROWS, 4)).astype(np.float32)
    matrix[rng.random((ROWS, 4)) < 0.2] = np.nan
    matrix[:, 3] = np.round(rng.normal(size=ROWS))  # never missing while learning
    matrix[:, 2] = np.where(np.isnan(matrix[:, 2]), np.nan, rng.integers(0, 120, ROWS))
    signal = np.nan_to_num(matrix[:, 0]) + np.isnan(matrix[:, 1]) + matrix[:, 3]
    signal += np.sin(np.nan_to_num(matrix[:, 2]) * 7)  # codes in no order
    label = {"binary": (signal > 0.5) * 1.0, "gamma": np.exp(signal), "regression": signal}
    recipe = Recipe(
        objective=objective,
        trees=30,
        leaves=leaves,
        rate=0.1,
        rows_per_leaf=rows_per_leaf,
        l2=1.0,
    )
    data = BinnedRows(matrix, categories=[2]).subset(np.arange(ROWS))
    model = train(data, label=label[objective], weight=np.ones(ROWS), recipe=recipe, seed=0)
    asked = matrix.copy()
    asked[::7, 3] = np.nan
    asked[::11, 2] = 250  # a code that was not there while learning
    return model, asked


@pytest.mark.parametrize("objective", ["binary", "gamma", "regression"])
@pytest.mark.parametrize(("leaves", "rows_per_leaf"), [(2, 20), (8, 20), (8, ROWS)])
def test_trees_predict_what_lightgbm_predicts(
    objective: str, leaves: int, rows_per_leaf: int
) -> None:
    """The last leaf size leaves trees without a split."""
    model, asked = trained(objective, leaves=leaves, rows_per_leaf=rows_per_leaf)
    expected = np.asarray(model.predict(asked, num_threads=1), dtype=np.float64)
    text = model.model_to_string()
    assert ("\ncat_threshold=" in text) == (rows_per_leaf < ROWS)
    forest = Forest.of_text(text)
    assert forest is not None
    found = forest.predict(asked, NOTHING_FURTHER)[:, 0]
    assert np.array_equal(found, expected)
    few = [forest.predict(asked[row : row + 1], NOTHING_FURTHER)[0, 0] for row in range(50)]
    assert few == expected[:50].tolist()


def test_the_order_of_rows_does_not_matter() -> None:
    model, asked = trained("binary", leaves=8, rows_per_leaf=20)
    forest = Forest.of_text(model.model_to_string())
    assert forest is not None
    found = forest.predict(asked, NOTHING_FURTHER)
    assert (forest.predict(asked[::-1], NOTHING_FURTHER) == found[::-1]).all()


def test_trees_with_more_than_eight_leaves_are_left_to_lightgbm() -> None:
    model, asked = trained("regression", leaves=12, rows_per_leaf=20)
    assert Forest.of_text(model.model_to_string()) is None
    many = np.tile(asked, (4, 1))  # so many rows that trees are read where they can be
    assert np.array_equal(
        predict(model, many)[:, 0], np.asarray(model.predict(many, num_threads=1))
    )


@pytest.mark.parametrize("copies", [1, 4])
def test_further_features_are_asked_value_by_value(copies: int) -> None:
    """With many rows our own trees answer, with few LightGBM."""
    model, asked = trained("binary", leaves=8, rows_per_leaf=20)
    many = np.tile(asked, (copies, 1))
    further = np.array([[-1.0], [0.0], [2.0]], np.float32)
    found = predict(model, many[:, :3], further)
    for column, value in zip(found.T, further[:, 0], strict=True):
        many[:, 3] = value
        plain = np.asarray(model.predict(many, num_threads=1))
        assert np.array_equal(column, plain)
    assert (found[:, 0] != found[:, 2]).any()


@pytest.mark.parametrize("objective", ["binary", "gamma", "regression"])
def test_new_rows_are_told_the_mean_of_all_folds(objective: str) -> None:
    """Sums of leaves are averaged as one forest, probabilities and amounts one by one."""
    kinds = [trained(objective, leaves=leaves, rows_per_leaf=20) for leaves in (2, 8)]
    models, asked = tuple(model for model, _ in kinds), kinds[0][1]
    fitted = CrossFitted(models)
    for raw in (False, True):
        every = [predict(model, asked, raw=raw)[:, 0] for model in models]
        found = fitted.predict(asked, folds=None, raw=raw)
        assert found == pytest.approx(np.mean(every, axis=0), rel=1e-12, abs=1e-15)
