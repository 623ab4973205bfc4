"""What people do on average over the arms of the lottery: one pooled, cross-fitted model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.boosting import BinnedRows, CrossFitted, Recipe, train
from incentive_engine.uplift.folds import Folds
from incentive_engine.uplift.quiet import without_most_quiet
from incentive_engine.uplift.threads import side_by_side

if TYPE_CHECKING:
    import lightgbm as lgb

EVENTS_PER_LEAF: Final = 30
"""Conversions that a leaf should hold; with fewer, leaves learn noise and effects inherit it."""


def outcome_recipe(share: float, rows: int) -> Recipe:
    """Return how far a model of an event with this `share` may adapt on so many rows."""
    wanted = EVENTS_PER_LEAF / max(share, 1e-6)
    return Recipe(
        objective="binary",
        trees=60,
        leaves=8,
        rate=0.1,
        rows_per_leaf=int(np.clip(wanted, 20, max(rows // 4, 20))),
        l2=5.0,
    )


def fit_outcome(
    binned: BinnedRows, *, event: FloatArray, weight: FloatArray, folds: Folds, seed: int
) -> CrossFitted:
    """Learn the probability of an event given the features, over all arms.

    Parameters
    ----------
    binned
        The n rows.
    event
        (n,) float64, 0 or 1.
    weight
        (n,) lottery weights.
    folds
        Of the n rows.
    """
    kept, stands_for = without_most_quiet(event > 0, seed=seed)
    recipe = outcome_recipe(float(event[kept].mean()), int(kept.sum()))
    mass = weight * stands_for

    def fit_fold(fold: int) -> lgb.Booster:
        outside = folds.outside(fold)
        rows = outside[kept[outside]]
        data = binned.subset(rows)
        return train(data, label=event[rows], weight=mass[rows], recipe=recipe, seed=seed + fold)

    return CrossFitted(tuple(side_by_side(fit_fold, folds.count)))
