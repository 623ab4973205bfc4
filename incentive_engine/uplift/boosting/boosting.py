"""LightGBM behind one narrow door: bin once, train on any rows, predict out of fold.

It is imported where it is used: reading what a model said about its trial does not need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Final
from weakref import WeakKeyDictionary

import numpy as np

from incentive_engine.domain import FloatArray, IntArray, Matrix
from incentive_engine.errors import DataError, Fault, SetupError
from incentive_engine.language import say
from incentive_engine.parallel import in_blocks, side_by_side
from incentive_engine.uplift.crossfit import Folds

if TYPE_CHECKING:
    import lightgbm as lgb

    from incentive_engine.uplift.boosting.forest import Forest

NOTHING_FURTHER: Final = np.zeros((1, 0), np.float32)
"""Asks every row once, as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How much one boosted model may adapt."""

    FIXED: ClassVar[dict[str, Any]] = {
        "deterministic": True,  # same bytes of predictions for the same inputs
        "force_row_wise": True,  # otherwise LightGBM times both ways and takes the faster
        "num_threads": 1,  # sums depend on it, and on a busy machine two that wait for each other
        # take five times as long as one; folds run side by side instead
        "max_bin": 63,
        "bin_construct_sample_cnt": 50_000,  # quantiles of more rows are hardly others
        "feature_pre_filter": False,  # one binned Dataset serves several minimal leaf sizes
        "verbose": -1,
    }
    """Settings that reproducibility and the reuse of binned data rest on."""

    objective: str
    trees: int
    leaves: int
    rate: float
    """Learning rate."""
    rows_per_leaf: int
    l2: float
    from_average: bool = True
    """Start from the average label; an effect model starts from zero."""

    def coarser(self) -> Recipe:
        """Return half the trees at twice the rate: nearly the same function in half the time."""
        return replace(self, trees=max(self.trees // 2, 1), rate=min(2 * self.rate, 1.0))

    def settings(self, seed: int) -> dict[str, Any]:
        """Return LightGBM's parameters."""
        return {
            **Recipe.FIXED,
            "objective": self.objective,
            "num_leaves": self.leaves,
            "learning_rate": self.rate,
            "min_data_in_leaf": self.rows_per_leaf,
            # rows alone bound a leaf: hessians of rare events are tiny, and would leave no split
            "min_sum_hessian_in_leaf": 0.0,
            "lambda_l2": self.l2,
            "boost_from_average": self.from_average,
            "seed": seed,
        }


def lightgbm() -> ModuleType:
    """Return the library, which is loaded on first use.

    Raises
    ------
    SetupError
        When the machine lacks what it needs.
    """
    try:
        return import_module("lightgbm")
    except OSError as error:
        what = say("cannot be loaded: {reason}", reason=error)
        openmp = (
            "install libgomp1 (Debian, Ubuntu: `apt-get install libgomp1`), libgomp (Fedora, "
            "Alpine), or libomp (macOS: `brew install libomp`)"
        )
        raise SetupError(Fault("LightGBM", what, "an OpenMP runtime", openmp)) from error


class BinnedRows:
    """Feature rows, binned once, that any number of models learn from.

    Parameters
    ----------
    matrix
        (n, p) float32, NaN where missing.
    categories
        Columns whose codes are in no order: a split takes any set of them to one side.
    """

    def __init__(self, matrix: Matrix, *, categories: Sequence[int] = ()) -> None:
        data = lightgbm().Dataset(
            matrix,
            categorical_feature=[*categories],
            params=dict(Recipe.FIXED),
            # what was binned is not needed again; predictions have their own matrix
            free_raw_data=True,
        )
        self._data: lgb.Dataset = data.construct()

    def subset(self, rows: IntArray) -> lgb.Dataset:
        """Return some of the rows, to be passed to `train` any number of times."""
        chosen: lgb.Dataset = self._data.subset(rows.tolist()).construct()
        return chosen


def train(
    data: lgb.Dataset,
    *,
    label: FloatArray,
    weight: FloatArray,
    recipe: Recipe,
    seed: int,
    start: FloatArray | None = None,
) -> lgb.Booster:
    """Fit one boosted model on binned rows.

    Parameters
    ----------
    data
        Rows of `BinnedRows.subset`; their label and weight are replaced.
    label, weight
        (n,) float64; weights are ≥ 0.
    start
        (n,) raw scores that the trees add to, and that are no part of the model.
    """
    data.set_label(label)
    data.set_weight(weight)
    if start is not None:
        data.set_init_score(start)
    fitted: lgb.Booster = lightgbm().train(
        recipe.settings(seed), data, num_boost_round=recipe.trees
    )
    return fitted


def predict(
    booster: lgb.Booster,
    matrix: Matrix,
    further: Matrix = NOTHING_FURTHER,
    *,
    rows: IntArray | None = None,
    raw: bool = False,
) -> FloatArray:
    """Return the model's predictions, (n, k) float64.

    Parameters
    ----------
    matrix
        (n, p) float32.
    further
        (k, e) float32; every row is asked with each of k values of e further features.
    rows
        The rows of `matrix` that are asked; left out, all.
    raw
        Whether sums of leaves are wanted, such as log-odds in place of probabilities.
    """
    asking = len(matrix) if rows is None else len(rows)
    if not asking:
        return np.zeros((0, len(further)))
    # reading the trees pays for many rows alone, or when it has been done; both predict the same
    many = 500
    forest = _forest(booster) if asking >= many else _forests.get(booster)
    if forest is not None:
        return forest.predict(matrix, further, rows=rows, raw=raw)
    if rows is not None:
        matrix = matrix[rows]
    width = further.shape[1]
    asked = np.column_stack([matrix, np.zeros((len(matrix), width), np.float32)])
    out = np.empty((len(matrix), len(further)))
    for each, values in enumerate(further):
        asked[:, matrix.shape[1] :] = values
        predicted = booster.predict(asked, raw_score=raw, num_threads=Recipe.FIXED["num_threads"])
        out[:, each] = np.asarray(predicted)
    return out


def _forest(booster: lgb.Booster) -> Forest | None:
    from incentive_engine.uplift.boosting.forest import Forest  # compiled when first used

    if booster not in _forests:
        _forests[booster] = Forest.of_text(booster.model_to_string())
    return _forests[booster]


_forests: WeakKeyDictionary[lgb.Booster, Forest | None] = WeakKeyDictionary()
"""Trees that were read before, as long as their model lives."""


def _mean_forest(fitted: CrossFitted) -> Forest | None:
    """Return all folds' trees as one forest: columns are looked up once, not once per fold."""
    from incentive_engine.uplift.boosting.forest import Forest  # compiled when first used

    if fitted not in _means:
        every = [forest for model in fitted.models if (forest := _forest(model)) is not None]
        _means[fitted] = Forest.mean(every) if len(every) == len(fitted.models) else None
    return _means[fitted]


_means: WeakKeyDictionary[CrossFitted, Forest | None] = WeakKeyDictionary()
"""Means that were made before, as long as their models live."""


def _in_parts(forest: Forest, matrix: Matrix, further: Matrix, *, raw: bool) -> FloatArray:
    out = np.empty((len(matrix), len(further)))

    def part(block: slice) -> None:
        out[block] = forest.predict(matrix[block], further, raw=raw)

    in_blocks(part, len(matrix))
    return out


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class CrossFitted:
    """One model per fold, fitted on the rows outside that fold."""

    models: tuple[lgb.Booster, ...]

    def predict(self, matrix: Matrix, *, folds: Folds | None, raw: bool = False) -> FloatArray:
        """Predict rows of the trial out of fold, or new rows by the average of all models, (n,).

        Parameters
        ----------
        matrix
            (n, p) float32.
        folds
            The folds of these very rows, so that each row's model never saw it; None for rows
            that no model has seen.
        raw
            Whether sums of leaves are wanted, such as log-odds in place of probabilities.
        """
        return np.asarray(self.predict_each(matrix, NOTHING_FURTHER, folds=folds, raw=raw)[:, 0])

    def predict_each(
        self, matrix: Matrix, further: Matrix, *, folds: Folds | None, raw: bool = False
    ) -> FloatArray:
        """Predict each row with each of (k, e) further features, (n, k); see `predict`."""
        if folds is None:
            joint = _mean_forest(self)
            if joint is not None and (raw or joint.adds_up):
                return _in_parts(joint, matrix, further, raw=raw)
            every = self._every(matrix, further, raw=raw)
            return np.asarray(sum(every[1:], start=every[0]) / len(every))
        inside = [folds.inside(fold) for fold in range(folds.count)]
        by_fold = side_by_side(
            lambda f: predict(self.models[f], matrix, further, rows=inside[f], raw=raw),
            folds.count,
        )
        out = np.empty((len(matrix), len(further)))
        for rows, predicted in zip(inside, by_fold, strict=True):
            out[rows] = predicted
        return out

    def _every(self, matrix: Matrix, further: Matrix, *, raw: bool) -> Sequence[FloatArray]:
        """Return what each model says of every row, (n, k) each."""

        def fold(f: int) -> FloatArray:
            return predict(self.models[f], matrix, further, raw=raw)

        count = len(self.models)
        # rows up to which the folds' models answer faster than threads for them start
        few_rows = 100
        is_few = len(matrix) <= few_rows
        return [fold(f) for f in range(count)] if is_few else side_by_side(fold, count)

    def gain(self) -> FloatArray:
        """Return how much each feature's splits improved the fit, over all models, (p,)."""
        every = [model.feature_importance("gain") for model in self.models]
        return np.asarray(np.sum(every, axis=0, dtype=np.float64))

    def contributions(self, matrix: Matrix) -> FloatArray:
        """Return what each feature adds to the raw prediction for new rows, (n, p + 1).

        Shapley values, averaged over the models; the last column is the average prediction.
        """
        every = [
            np.asarray(
                model.predict(matrix, pred_contrib=True, num_threads=Recipe.FIXED["num_threads"])
            )
            for model in self.models
        ]
        return np.asarray(sum(every[1:], start=every[0]) / len(every))

    def save(self, directory: Path, name: str) -> None:
        """Write one text file per model."""
        for fold, model in enumerate(self.models):
            (directory / f"{name}.{fold}.txt").write_text(model.model_to_string())

    @classmethod
    def load(cls, directory: Path, name: str, *, count: int) -> CrossFitted:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            When a file is missing or LightGBM cannot read it.
        """
        files = [directory / f"{name}.{fold}.txt" for fold in range(count)]
        return cls(tuple(_read(file) for file in files))


def _read(file: Path) -> lgb.Booster:
    library = lightgbm()
    try:
        booster: lgb.Booster = library.Booster(model_str=file.read_text())
    except (OSError, UnicodeDecodeError, library.basic.LightGBMError) as error:
        fault = Fault(str(file), "is not a model file that LightGBM reads", remedy="train again")
        raise DataError(fault) from error
    return booster


def expit(log_odds: FloatArray) -> FloatArray:
    """Return the probabilities that log-odds stand for."""
    return np.asarray(1 / (1 + np.exp(-log_odds)))
