"""Effects per user and offer: averages, and deviations as far as they hold out of fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.averages import Averages
from incentive_engine.uplift.blend import Blend, HeterogeneityTest
from incentive_engine.uplift.boosting import Matrix
from incentive_engine.uplift.folds import Folds
from incentive_engine.uplift.ladder import repair
from incentive_engine.uplift.stumps import Stumps
from incentive_engine.uplift.threads import in_blocks


def linear(coefficients: FloatArray, phi: FloatArray, *, folds: Folds | None) -> FloatArray:
    """Return sums of basis functions, (n, k), by (folds, k, q) coefficients and (n, q) values.

    For the folds' own rows by the coefficients of the row's fold, otherwise by their mean.
    """
    out = np.empty((len(phi), coefficients.shape[1]))
    average = coefficients.mean(axis=0)

    def sums(block: slice) -> None:
        if folds is None:
            out[block] = phi[block] @ average.T
            return
        every = np.tensordot(phi[block], coefficients, axes=(1, 2))
        out[block] = every[np.arange(len(every)), folds.label[block]]

    in_blocks(sums, len(phi))
    return out


def quadratic(covariance: FloatArray, phi: FloatArray) -> FloatArray:
    """Return ``phi' covariance phi`` for each of (n, q) rows, (n,)."""
    out = np.empty(len(phi))

    def forms(block: slice) -> None:
        out[block] = np.einsum("ij,ij->i", phi[block] @ covariance, phi[block])

    in_blocks(forms, len(phi))
    return out


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
        d functions, a version per fold.
    centre : (folds, 2, k) float64
        Average deviation of the ridge and the boosted part, which is subtracted.
    blend
        Shares of the ridge and the boosted part.
    test
        Whether users differ measurably.
    rungs
        Positions of the offers of each ladder.
    """

    averages: Averages
    ridge: FloatArray
    uncertainty: FloatArray
    directions: FloatArray
    boosted: Stumps
    centre: FloatArray
    blend: Blend
    test: HeterogeneityTest
    rungs: tuple[tuple[int, ...], ...]

    def predict(self, matrix: Matrix, phi: FloatArray, *, folds: Folds | None) -> FloatArray:
        """Return effects (n, k), out of fold for the trial's rows, averaged for new rows."""
        if folds is not None:
            effect = self.averages.outside[folds.label]
            share, centre = self.blend.share_outside[folds.label], self.centre[folds.label]
        else:
            effect = np.tile(self.averages.effect, (len(matrix), 1))
            share, centre = self.blend.share[None], self.centre.mean(axis=0)[None]
        boosted = self.boosted.predict(matrix, folds=folds) @ self.directions
        effect += share[:, :1] * (linear(self.ridge, phi, folds=folds) - centre[:, 0])
        effect += share[:, 1:] * (boosted - centre[:, 1])
        return self._repaired(effect)

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
        trust = min(float(self.blend.share.sum()), 1.0) ** 2
        for offer, covariance in enumerate(self.uncertainty):
            variance[:, offer] += trust * quadratic(covariance, phi)
        return np.asarray(np.sqrt(variance))

    def _repaired(self, effect: FloatArray) -> FloatArray:
        weight = 1 / np.maximum(self.averages.standard_error, 1e-12) ** 2
        return repair(effect, self.rungs, np.asarray(weight))
