"""What people do on average over the arms of the lottery: one pooled, cross-fitted model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.parallel import side_by_side
from incentive_engine.uplift.boosting.boosting import CrossFitted, Recipe, train
from incentive_engine.uplift.params import FitParams
from incentive_engine.uplift.rows import TrialRows

if TYPE_CHECKING:
    import lightgbm as lgb


def outcome_recipe(share: float, rows: int, params: FitParams) -> Recipe:
    """Return how far a model of an event with this `share` may adapt on so many rows."""
    wanted = params.events_per_leaf / max(share, 1e-6)
    return Recipe(
        objective="binary",
        trees=params.outcome_trees,
        leaves=params.outcome_leaves,
        rate=params.outcome_rate,
        rows_per_leaf=int(np.clip(wanted, 20, max(rows // 4, 20))),
        l2=5.0,
    )


def fit_outcome(rows: TrialRows, *, event: FloatArray, seed: int) -> CrossFitted:
    """Learn the probability of an event (n,), 0 or 1, given the features, over all arms."""
    downsampled = rows.downsampled
    label = event[downsampled.row]
    weight = rows.lottery.weight[downsampled.row] * downsampled.stands_for
    recipe = rows.recipe(outcome_recipe(float(label.mean()), len(label), rows.params))

    def fit_fold(fold: int) -> lgb.Booster:
        seen = downsampled.outside(fold)
        data = downsampled.binned.subset(seen)
        return train(data, label=label[seen], weight=weight[seen], recipe=recipe, seed=seed + fold)

    return CrossFitted(tuple(side_by_side(fit_fold, rows.folds.count)))
