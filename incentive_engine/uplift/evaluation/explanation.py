"""Which features drive an effect: parts that add up to the score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from incentive_engine.domain import FloatArray, Floats, Matrix
from incentive_engine.stats.systematic_sample import evenly
from incentive_engine.uplift.boosting.boosting import CrossFitted, expit
from incentive_engine.uplift.effects.basis import Basis
from incentive_engine.uplift.effects.effects import Deviations, taken
from incentive_engine.uplift.effects.prognosis import Prognosis
from incentive_engine.uplift.effects.trees import ArmTrees, ContrastTrees
from incentive_engine.uplift.model import EffectModel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """How the effects of k offers on n users come about; probabilities of conversion.

    Attributes
    ----------
    offers, features
        k ids and p names.
    average : (k,) float64
        The effect on somebody of whom nothing is known.
    contribution : (n, k, p) float64
        What each feature adds: its functions in the ridge, half of the products that it is part
        of, and its Shapley values in the trees, as far as deviations come true; and by what it
        says of outcomes, as far as effects follow these.
    repair : (n, k) float64
        What putting the offers of a ladder in order adds, and what is left of a calibration that
        has no feature to name.
    effect : (n, k) float64
        The score: ``average + contribution.sum(features) + repair``.
    """

    offers: tuple[str, ...]
    features: tuple[str, ...]
    average: FloatArray
    contribution: FloatArray
    repair: FloatArray
    effect: FloatArray

    def drivers(self) -> dict[str, list[dict[str, Any]]]:
        """Return, per offer, features by falling mean absolute contribution; those with none not.

        The mean is of probabilities of conversion, over the n users.
        """
        size = np.abs(self.contribution).mean(axis=0)
        return {
            offer: [
                {"feature": self.features[at], "mean_contribution": float(size[j, at])}
                for at in np.argsort(-size[j], kind="stable")
                if size[j, at] > 0
            ]
            for j, offer in enumerate(self.offers)
        }


def explain(model: EffectModel, features: pd.DataFrame, *, where: str) -> Explanation:
    """Explain the effects on conversion of users that no model has seen.

    Raises
    ------
    DataError
        When a feature that the model learned from is missing.
    """
    matrix = model.encoder.encode(features, where=where)
    phi = model.basis(matrix)
    chances = model.models.converting
    layer, deviations = chances.effects, chances.effects.deviations
    outcome = chances.outcome.contributions(matrix)
    trees = deviations.contrast_trees
    parts = [
        _ridge_parts(deviations, phi, model.basis, matrix.shape[1]),
        *(_contrast_parts(trees, matrix), _arm_parts(deviations.arm_trees, outcome, matrix)),
    ]
    weighted = sum(w * part for w, part in zip(layer.stack.weight, parts, strict=True))
    # the last column of each part is what it says of somebody of whom nothing is known
    contribution, level = np.asarray(weighted)[:, :, :-1], np.asarray(weighted)[:, :, -1]
    centre = layer.stack.weight @ layer.centre.mean(axis=0)
    # between the tails deviations are calibrated by one slope
    slope = layer.calibration.slope[1]
    level = slope * ((level[0] if len(level) else 0.0) - centre)
    average, total = layer.averages.effect + level, contribution.sum(axis=2)
    stacked = total + level / slope if slope > 0 else total
    calibrated = layer.calibration(stacked, layer.calibration.slope[None])
    holds = layer.support.weight(matrix)
    calibrated *= holds
    flat = np.abs(total) < 1e-9
    rate = np.where(flat, slope, (calibrated - level) / np.where(flat, 1.0, total))
    highest = 2 * layer.calibration.slope.max()
    contribution = contribution * rate.clip(0.0, highest)[:, :, None]
    followed = _prognosis_parts(layer.prognosis, outcome)[:, None] * layer.averages.effect[:, None]
    contribution += followed[:, :, :-1] * holds[:, :, None]
    average = average + (followed[0, :, -1] if len(followed) else 0.0)
    effect = layer.predict(matrix, phi, outcome.sum(axis=1), folds=None)
    names = tuple(feature.name for feature in model.encoder.features)
    return Explanation(
        offers=model.facts.offers,
        features=names,
        average=average,
        contribution=contribution[:, :, : len(names)],
        repair=effect - average - contribution.sum(axis=2),
        effect=effect,
    )


def explain_sample(model: EffectModel, features: pd.DataFrame) -> Explanation:
    """Explain evenly spaced rows of a trial, for overall drivers."""
    # rows that overall drivers are averaged over
    sample = 5_000
    rows = evenly(len(features), sample)
    return explain(model, features.iloc[rows], where="trial")


def _prognosis_parts(prognosis: Prognosis, outcome: FloatArray) -> FloatArray:
    """Return by which share of the average effect each feature's prognosis moves it, (n, p + 1).

    As of `_arm_parts`, on the straight way from the level, which is the last column.
    """
    level, rise = outcome[:, -1], outcome[:, :-1].sum(axis=1)
    start = prognosis.share(level, None)
    risen = prognosis.share(level + rise, None) - start
    flat = np.abs(rise) < 1e-9
    rate = np.where(flat, 0.0, risen / np.where(flat, 1.0, rise))
    return np.column_stack([outcome[:, :-1] * rate[:, None], start])


def _ridge_parts(deviations: Deviations, phi: Floats, basis: Basis, p: int) -> FloatArray:
    """Return what each feature's functions and products add, (n, k, p + 1), the last one 0."""
    weight = deviations.ridge.mean(axis=0)
    mine = taken(phi, deviations.functions)
    parts = deviations.pairs.contributions(mine, p + 1)
    for at, function in enumerate(deviations.functions):
        parts[:, :, basis.columns[function]] += mine[:, at, None] * weight[:, at]
    return parts


def _contrast_parts(trees: ContrastTrees, matrix: Matrix) -> FloatArray:
    """Return what each feature adds in the contrast trees, and their level, (n, k, p + 1)."""
    parts = [function.contributions(matrix) for function in trees.functions]
    return np.asarray(np.einsum("dnp,dk->nkp", np.stack(parts), trees.directions))


def _arm_parts(trees: ArmTrees, outcome: FloatArray, matrix: Matrix) -> FloatArray:
    """Return what each feature adds in the arm trees, and their level, (n, k, p + 1).

    Notes
    -----
    Log-odds rise from their level b to b + c, where c sums up the features' contributions; each
    feature gets its share of ``expit(b + c) - expit(b)``, as on a straight way from the one to
    the other.

    References
    ----------
    Sundararajan, Taly, Yan: Axiomatic attribution for deep networks, ICML 2017, section 3.
    """

    def chances(arm: CrossFitted) -> FloatArray:
        parts = outcome + arm.contributions(matrix)
        level, rise = parts[:, -1], parts[:, :-1].sum(axis=1)
        flat = np.abs(rise) < 1e-9
        slope = expit(level) * (1 - expit(level))
        risen = expit(level + rise) - expit(level)
        rate = np.where(flat, slope, risen / np.where(flat, 1.0, rise))
        return np.column_stack([parts[:, :-1] * rate[:, None], expit(level)])

    control, *treated = (chances(arm) for arm in trees.arms)
    return np.asarray(np.einsum("jnp,jk->nkp", np.stack(treated) - control, trees.pooling))
