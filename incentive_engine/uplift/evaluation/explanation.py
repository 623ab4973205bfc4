"""Which features drive an effect: parts that add up to the score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.effects.basis import Basis
from incentive_engine.uplift.effects.effects import EffectLayer
from incentive_engine.uplift.model import UpliftModel
from incentive_engine.uplift.nuisance.boosting import Matrix
from incentive_engine.uplift.systematic_sample import evenly

SAMPLE: Final = 5_000
"""Rows that overall drivers are averaged over."""


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
        of, and its stumps, less their average.
    repair : (n, k) float64
        What putting the offers of a ladder in order adds.
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


def explain(model: UpliftModel, features: pd.DataFrame, *, where: str) -> Explanation:
    """Explain the effects on conversion of users that no model has seen.

    Raises
    ------
    DataError
        When a feature that the model learned from is missing.
    """
    matrix = model.encoder.encode(features, where=where)
    phi = model.basis(matrix)
    layer = model.models.converting.effects
    n, k, p = len(matrix), len(model.facts.offers), matrix.shape[1]
    average, contribution = layer.averages.effect.copy(), np.zeros((n, k, p))
    contribution += layer.blend.share[0] * _ridge_parts(layer, phi, model.basis, p)
    parts, level = _boosted_parts(layer, matrix)
    contribution += layer.blend.share[1] * parts
    level = np.stack([np.zeros(k), level]) - layer.centre.mean(axis=0)
    average += layer.blend.share @ level
    effect = layer.predict(matrix, phi, folds=None)
    names = tuple(feature.name for feature in model.encoder.features)
    return Explanation(
        offers=model.facts.offers,
        features=names,
        average=average,
        contribution=contribution[:, :, : len(names)],
        repair=effect - average - contribution.sum(axis=2),
        effect=effect,
    )


def explain_sample(model: UpliftModel, features: pd.DataFrame) -> Explanation:
    """Explain evenly spaced rows of a trial, for overall drivers."""
    rows = evenly(len(features), SAMPLE)
    return explain(model, features.iloc[rows], where="trial")


def _ridge_parts(layer: EffectLayer, phi: FloatArray, basis: Basis, p: int) -> FloatArray:
    """Return what each feature's functions and products add, (n, k, p)."""
    weight = layer.ridge.mean(axis=0)
    parts = layer.pairs.contributions(phi, p)
    for function, column in enumerate(basis.columns):
        parts[:, :, column] += phi[:, function, None] * weight[:, function]
    return parts


def _boosted_parts(layer: EffectLayer, matrix: Matrix) -> tuple[FloatArray, FloatArray]:
    """Return what each feature adds in the stumps, (n, k, p), and their average, (k,)."""
    parts = np.einsum("npd,dk->nkp", layer.boosted.contributions(matrix), layer.directions)
    return parts, layer.boosted.average.sum(axis=0) @ layer.directions
