"""What groups of features add to knowing whom offers move, out of fold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import CONVERSION, FloatArray, IntArray, Matrix
from incentive_engine.stats.estimate import Estimate
from incentive_engine.stats.intervals import interval
from incentive_engine.stats.systematic_sample import evenly
from incentive_engine.uplift.boosting.boosting import BinnedRows, Recipe, predict, train
from incentive_engine.uplift.doubly_robust.plan_value import valued
from incentive_engine.uplift.model import EffectModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """What a group of features adds.

    Attributes
    ----------
    features
        How many there are in it.
    gain
        Conversions per person when the `TREATED` share is chosen with the group beside what is
        known otherwise.
    more
        The same, less what is gained without any group.
    """

    features: int
    gain: Estimate
    more: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Return the content for a JSON file."""
        return {
            "features": self.features,
            "gain": self.gain.to_dict(),
            "more": self.more.to_dict(),
        }


def additions(
    model: EffectModel, trial: Trial, groups: Sequence[Collection[str]]
) -> tuple[Addition, ...]:
    """Return what no group, and each of some groups, adds to the features that are in none.

    Notes
    -----
    Doubly robust increments of conversion, by models that never saw a row, are learned by boosted
    trees on one half of the rows and tried on the other; the same small model for each group, so
    that groups can be compared with each other. The plan's own model may get more out of them.
    """
    # rows of the trial that are looked at, at most
    rows = evenly(trial.n_rows, 60_000)
    gain = valued(trial, model.out_of_fold).by_measure[CONVERSION]
    brought = np.column_stack([gain.of_offer(j)[rows] for j in range(len(trial.offers))])
    half = model.out_of_fold.fold[rows] % 2
    matrix = model.encoder.encode(trial.features, where="trial")[rows]
    names = [feature.name for feature in model.encoder.features]
    grouped = {name for group in groups for name in group}
    crowded = {*model.encoder.crowded}
    ready = [at for at, name in enumerate(names) if name not in grouped]

    def gained(group: Collection[str]) -> FloatArray:
        own = [at for at, name in enumerate(names) if name in group]
        columns = sorted(ready + own)
        categories = [at for at, column in enumerate(columns) if column in crowded]
        return _gained(matrix[:, columns], categories, brought, half)

    alone = gained(())
    steps = [Addition(features=len(ready), gain=_mean(alone), more=_mean(0 * alone))]
    for group in groups:
        brought_by = gained(group)
        size = len({*names} & {*group})
        more = _mean(brought_by - alone)
        steps.append(Addition(features=size, gain=_mean(brought_by), more=more))
    return tuple(steps)


def _gained(
    matrix: Matrix, categories: Sequence[int], brought: FloatArray, half: IntArray
) -> FloatArray:
    """Return what the plan of one set of features brings each row, (n,)."""
    gained = np.zeros(len(brought))
    recipe = Recipe(
        objective="regression", trees=60, leaves=6, rate=0.05, rows_per_leaf=200, l2=20.0,
        from_average=True,
    )  # fmt: skip
    # those whom it should move most get their best offer
    treated_share = 0.3
    for side in (0, 1):
        asked, seen = np.flatnonzero(half == side), np.flatnonzero(half != side)
        effect = np.tile(brought[seen].mean(axis=0), (len(asked), 1))
        if matrix.shape[1]:
            binned = BinnedRows(np.ascontiguousarray(matrix), categories=categories)
            data = binned.subset(seen)
            weight = np.ones(len(seen))
            for j in range(brought.shape[1]):
                booster = train(data, label=brought[seen, j], weight=weight, recipe=recipe, seed=0)
                effect[:, j] = predict(booster, np.ascontiguousarray(matrix[asked]))[:, 0]
        best = effect.argmax(axis=1)
        size = effect[np.arange(len(asked)), best]
        own = brought[asked, best]
        if np.ptp(size) == 0:  # nothing tells people apart: everyone's chance is the same
            gained[asked] = treated_share * own
        else:
            treated = np.argsort(-size, kind="stable")[: round(treated_share * len(asked))]
            gained[asked[treated]] = own[treated]
    return gained


def _mean(per_row: FloatArray) -> Estimate:
    return interval(float(per_row.mean()), float(per_row.std() / np.sqrt(len(per_row))))
