"""How much of each model of heterogeneity to believe, judged out of fold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.folds import Folds

PRIOR_SD: Final = 0.1
"""How far a model's share may stray from an equal one before the data must insist; the models are
shrunk already, and shares judged from few rows mostly add noise."""
FALSE_ALARMS: Final = 0.05
"""How often the test finds heterogeneity where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeterogeneityTest:
    """Whether effects differ between users, judged out of fold.

    Attributes
    ----------
    statistic
        Standard normal when effects are constant; large when predicted deviations come true.
    p_value
        One-sided.
    found
        Whether `p_value` is at most 5 %, which is what may be said about the trial.
    """

    statistic: float
    p_value: float
    found: bool

    @property
    def believed(self) -> bool:
        """Whether users get effects of their own; otherwise everyone gets the constant effect.

        Deviations are shrunk as far as the marginal likelihood demands, so where they are small
        they do little harm, while asking for proof would throw away differences that earn more
        than the constant. They are dropped when they do not come true out of fold at all.
        """
        return self.statistic > 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blend:
    """Shares of b models, from all rows and from the rows outside each fold.

    Attributes
    ----------
    share : (b,) float64, ≥ 0
    share_outside : (folds, b) float64, ≥ 0
    """

    share: FloatArray
    share_outside: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """What the rows say about b models' deviations from constant effects.

    Attributes
    ----------
    claim : (n, b) float64
        ``Σ_j z_j · deviation_j``: by how much each model says the outcome departs.
    contrast : (n, k) float64
        z, the part that constant effects explain.
    residual : (n,) float64
    weight : (n,) float64
        Precision.
    """

    claim: FloatArray
    contrast: FloatArray
    residual: FloatArray
    weight: FloatArray

    def test(self) -> HeterogeneityTest:
        """Test the sum of all claims.

        Notes
        -----
        The slope of the residual on the claim, with constant effects partialled out, over its
        heteroscedasticity-robust standard error: the "best linear predictor" test.

        References
        ----------
        Chernozhukov, Demirer, Duflo, Fernández-Val: Generic machine learning inference on
        heterogeneous treatment effects, arXiv:1712.04802, section 3.
        """
        claim = self._unexplained(self.claim.sum(axis=1))
        surprise = self.weight * claim * self._unexplained(self.residual)
        noise = float(np.sqrt(np.square(surprise).sum()))
        statistic = float(surprise.sum()) / noise if noise > 0 else 0.0
        p_value = 0.5 * math.erfc(statistic / math.sqrt(2))
        return HeterogeneityTest(
            statistic=statistic, p_value=p_value, found=p_value <= FALSE_ALARMS
        )

    def blend(self, folds: Folds) -> Blend:
        """Return the shares that explain the residual best, none negative."""
        claim = np.column_stack([self._unexplained(column) for column in self.claim.T])
        residual = self._unexplained(self.residual)
        weighted = claim * self.weight[:, None]
        grams = np.stack([weighted[i].T @ claim[i] for _, i in folds])
        moments = np.stack([weighted[i].T @ residual[i] for _, i in folds])
        outside = [
            _shares(grams.sum(0) - gram, moments.sum(0) - moment)
            for gram, moment in zip(grams, moments, strict=True)
        ]
        return Blend(share=_shares(grams.sum(0), moments.sum(0)), share_outside=np.stack(outside))

    def _unexplained(self, column: FloatArray) -> FloatArray:
        """Return what constant effects per offer leave of a column."""
        weighted = self.contrast * self.weight[:, None]
        slope = np.linalg.lstsq(weighted.T @ self.contrast, weighted.T @ column, rcond=None)[0]
        return np.asarray(column - self.contrast @ slope)


def _shares(gram: FloatArray, moment: FloatArray) -> FloatArray:
    """Solve ``min ½ s'Gs - m's + ½ |s - s0|² / sd²`` over s ≥ 0, with equal s0 that sum to 1."""
    from scipy.optimize import nnls  # half a second that only fitting should pay

    b = len(moment)
    precision = np.eye(b) / PRIOR_SD**2
    factor = np.linalg.cholesky(gram + precision)
    target = np.linalg.solve(factor, moment + precision @ np.full(b, 1 / b))
    return np.asarray(nnls(factor.T, target)[0])
