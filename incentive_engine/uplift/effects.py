"""Effects per user and offer: averages, and deviations as far as they hold out of fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.averages import Averages
from incentive_engine.uplift.blend import Blend, HeterogeneityTest
from incentive_engine.uplift.boosting import CrossFitted, Matrix, predict
from incentive_engine.uplift.folds import Folds
from incentive_engine.uplift.ladder import repair


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EffectLayer:
    """Effects of k offers, one model of deviations per fold.

    Attributes
    ----------
    averages
        Constant effects.
    ridge : (folds, k, q) float64
        Coefficients of the basis functions.
    uncertainty : (k, q, q) float64
        Posterior covariance of the coefficients from all rows.
    directions : (d, k) float64
        Effects over the offers that one unit of each boosted function means.
    boosted
        d cross-fitted functions.
    centre : (folds, 2, k) float64
        Average deviation of the ridge and the boosted part, which is subtracted.
    blend
        Shares of the ridge and the boosted part.
    test
        Whether deviations are used at all.
    rungs
        Positions of the offers of each ladder.
    """

    averages: Averages
    ridge: FloatArray
    uncertainty: FloatArray
    directions: FloatArray
    boosted: tuple[CrossFitted, ...]
    centre: FloatArray
    blend: Blend
    test: HeterogeneityTest
    rungs: tuple[tuple[int, ...], ...]

    def predict(self, matrix: Matrix, phi: FloatArray, *, folds: Folds | None) -> FloatArray:
        """Return effects (n, k), out of fold for the trial's rows, averaged for new rows."""
        if folds is not None:
            effect = np.empty((len(matrix), self.ridge.shape[1]))
            for fold, (_, inside) in enumerate(folds):
                deviation = self._deviations(matrix[inside], phi[inside], fold)
                share = self.blend.share_outside[fold]
                effect[inside] = self.averages.outside[fold] + self._blended(deviation, share)
            return self._repaired(effect)
        deviations = [self._deviations(matrix, phi, fold) for fold in range(len(self.ridge))]
        deviation = np.mean(deviations, axis=0)
        return self._repaired(self.averages.effect + self._blended(deviation, self.blend.share))

    @property
    def constant(self) -> FloatArray:
        """The constant effects, (k,)."""
        return np.asarray(self._repaired(self.averages.effect[None])[0])

    def constant_outside(self, folds: Folds) -> FloatArray:
        """Return the constant effects by the rows outside each row's fold, (n, k)."""
        return self._repaired(self.averages.outside)[folds.label]

    def standard_error(self, phi: FloatArray) -> FloatArray:
        """Return a rough standard error of each effect, (n, k): a guide, not an interval."""
        variance = np.tile(self.averages.standard_error**2, (len(phi), 1))
        if self.test.believed:
            trust = min(float(self.blend.share.sum()), 1.0) ** 2
            for offer, covariance in enumerate(self.uncertainty):
                variance[:, offer] += trust * np.einsum("ij,ij->i", phi @ covariance, phi)
        return np.asarray(np.sqrt(variance))

    def _deviations(self, matrix: Matrix, phi: FloatArray, fold: int) -> FloatArray:
        """Return centred deviations by the models of one fold, (n, 2, k)."""
        if not self.test.believed:
            return np.zeros((len(matrix), 2, self.ridge.shape[1]))
        ridge = phi @ self.ridge[fold].T
        functions = [predict(part.models[fold], matrix) for part in self.boosted]
        boosted = np.column_stack(functions) @ self.directions
        return np.asarray(np.stack([ridge, boosted], axis=1) - self.centre[fold])

    def _blended(self, deviation: FloatArray, share: FloatArray) -> FloatArray:
        return np.asarray(np.einsum("nbk,b->nk", deviation, share * self.test.believed))

    def _repaired(self, effect: FloatArray) -> FloatArray:
        weight = 1 / np.maximum(self.averages.standard_error, 1e-12) ** 2
        return repair(effect, self.rungs, np.asarray(weight))
