"""Whom the trial's rows say something about: within the range of features, and in every arm.

A model answers for users like nobody in the trial, and for groups that only ever got one arm, but
it makes that up. For them effects decay to the average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from incentive_engine.domain import FloatArray, Matrix
from incentive_engine.parallel import in_blocks, side_by_side
from incentive_engine.stats.systematic_sample import evenly
from incentive_engine.uplift.boosting.boosting import BinnedRows, CrossFitted, Recipe, train
from incentive_engine.uplift.randomisation import Randomisation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Support:
    """The range of each feature in the trial, and where arms are missing.

    Attributes
    ----------
    low, high : (p,) float64
        Infinite for a category, whose codes are in no order.
    usual : (1 + k,) float64
        Share of each arm in the sample.
    arms
        Chance of an arm given the features, for those arms alone that some group lacks.
    """

    ENOUGH: ClassVar[float] = 0.5
    """Share of an arm's usual frequency from which on a group is told as well as any other."""

    low: FloatArray
    high: FloatArray
    usual: FloatArray
    arms: dict[int, CrossFitted]

    def weight(self, matrix: Matrix) -> FloatArray:
        """Return how far deviations of k effects hold for n users, (n, k), between 0 and 1.

        Beyond the range of a feature they decay with the distance in units of the range, to a
        third at one more range; where an arm is missing, in proportion to how rare it is.
        """
        weight = np.tile(self._within(matrix)[:, None], (1, len(self.usual) - 1))
        for arm, model in self.arms.items():
            frequent = model.predict(matrix, folds=None) / (self.ENOUGH * self.usual[arm])
            columns = slice(None) if arm == 0 else slice(arm - 1, arm)
            weight[:, columns] *= frequent.clip(0.0, 1.0)[:, None]
        return weight

    def _within(self, matrix: Matrix) -> FloatArray:
        beyond = np.zeros(len(matrix))
        looked = np.isfinite(self.low)
        low, high = self.low[looked], self.high[looked]
        width = np.maximum(high - low, 1e-12)

        def furthest(block: slice) -> None:
            values = matrix[block][:, looked]
            distance = np.maximum(values - high, low - values) / width
            # a missing value is no distance at all
            beyond[block] = np.fmax.reduce(distance, axis=1, initial=0.0)

        in_blocks(furthest, len(matrix))
        return np.asarray(np.exp(-beyond))

    def save(self, directory: Path, name: str) -> None:
        """Write one text file per arm that some group lacks."""
        for arm, model in self.arms.items():
            model.save(directory, f"{name}_{arm}")


def learn_support(
    matrix: Matrix, categories: Sequence[int], lottery: Randomisation, *, seed: int
) -> Support:
    """Take the range of (n, p) features, and see which groups an arm never reached.

    Parameters
    ----------
    categories
        Columns whose codes are in no order, and have no range.
    """
    least = np.fmin.reduce(matrix).astype(np.float64)
    most = np.fmax.reduce(matrix).astype(np.float64)
    present = np.isfinite(least)
    present[[*categories]] = False
    low, high = np.where(present, least, -np.inf), np.where(present, most, np.inf)
    # rows that tell which groups an arm never reached, at most
    some = evenly(len(matrix), 50_000)
    sample, arm, weight = matrix[some], lottery.arm[some], lottery.weight[some]
    data = BinnedRows(sample)
    every = np.arange(len(some))
    recipe = Recipe(
        objective="binary",
        trees=20,
        leaves=8,
        rate=0.3,
        rows_per_leaf=max(len(some) // 50, 100),
        l2=5.0,
    )
    k = lottery.share.shape[1]
    usual = np.array([weight @ (arm == each) / weight.sum() for each in range(k)])

    def fit_arm(each: int) -> CrossFitted | None:
        label = (arm == each).astype(np.float64)
        model = CrossFitted(
            (train(data.subset(every), label=label, weight=weight, recipe=recipe, seed=seed),)
        )
        expected = lottery.share[some, each]
        chance = model.predict(sample, folds=None)
        missing = (expected > 0) & (chance < Support.ENOUGH * usual[each])
        return model if missing.any() else None

    models = dict(enumerate(side_by_side(fit_arm, k)))
    arms = {each: model for each, model in models.items() if model is not None}
    return Support(low=low, high=high, usual=usual, arms=arms)
