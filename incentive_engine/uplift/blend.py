"""How much of each model of heterogeneity to believe, judged out of fold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.folds import Folds

PRIOR_SD: Final = 0.1
"""How far a model's share may stray from the usual one before the data must insist; the models are
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
    def trust(self) -> float:
        """The chance that deviations come true at all, as far as the rows can tell, 0 to 1.

        Deviations are shrunk as far as the marginal likelihood demands, so asking for proof would
        throw away differences that earn more than the constant; and whoever drops them on one
        side of a threshold lets chance decide over all of them.
        """
        return 1 - self.p_value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blend:
    """Shares of b models, from all rows and from the rows outside each fold.

    They hold the trust in deviations, and sum to less than 1 where these may be chance.

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
        surprise = self._surprise()
        return _tested(float(surprise.sum()), float(np.square(surprise).sum()))

    def blend(self, folds: Folds, usual: tuple[float, ...]) -> Blend:
        """Return the shares that explain the residual best, none negative, times the trust.

        Parameters
        ----------
        folds
            Of the n rows.
        usual
            b shares that sum to 1, which few rows hardly move.
        """
        claim = np.column_stack([self._unexplained(column) for column in self.claim.T])
        residual = self._unexplained(self.residual)
        weighted = claim * self.weight[:, None]
        grams = np.stack([weighted[i].T @ claim[i] for _, i in folds])
        moments = np.stack([weighted[i].T @ residual[i] for _, i in folds])
        surprise = self._surprise()
        moved = np.bincount(folds.label, surprise, folds.count)
        noise = np.bincount(folds.label, surprise**2, folds.count)
        outside = [
            _tested(moved.sum() - moved[fold], noise.sum() - noise[fold]).trust
            * _shares(grams.sum(0) - grams[fold], moments.sum(0) - moments[fold], usual)
            for fold in range(folds.count)
        ]
        share = self.test().trust * _shares(grams.sum(0), moments.sum(0), usual)
        return Blend(share=share, share_outside=np.stack(outside))

    def _surprise(self) -> FloatArray:
        """Return what each row adds to the slope's numerator, (n,); 0 on average by chance."""
        claim = self._unexplained(self.claim.sum(axis=1))
        return np.asarray(self.weight * claim * self._unexplained(self.residual))

    def _unexplained(self, column: FloatArray) -> FloatArray:
        """Return what constant effects per offer leave of a column."""
        weighted = self.contrast * self.weight[:, None]
        slope = np.linalg.lstsq(weighted.T @ self.contrast, weighted.T @ column, rcond=None)[0]
        return np.asarray(column - self.contrast @ slope)


def _tested(moved: float, noise: float) -> HeterogeneityTest:
    """Test a sum of surprises, given the sum of their squares."""
    statistic = moved / math.sqrt(noise) if noise > 0 else 0.0
    p_value = 0.5 * math.erfc(statistic / math.sqrt(2))
    return HeterogeneityTest(statistic=statistic, p_value=p_value, found=p_value <= FALSE_ALARMS)


def _shares(gram: FloatArray, moment: FloatArray, usual: tuple[float, ...]) -> FloatArray:
    """Solve ``min ½ s'Gs - m's + ½ |s - usual|² / sd²`` over s ≥ 0."""
    from scipy.optimize import nnls  # half a second that only fitting should pay

    precision = np.eye(len(moment)) / PRIOR_SD**2
    factor = np.linalg.cholesky(gram + precision)
    target = np.linalg.solve(factor, moment + precision @ np.array(usual))
    return np.asarray(nnls(factor.T, target)[0])
