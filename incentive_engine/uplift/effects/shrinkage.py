"""How much of each model of heterogeneity to believe, judged out of fold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.crossfit import Folds

PRIOR_SD: Final = 0.1
"""How far a model's share may stray from the usual one before the data must insist; the models are
shrunk already, and shares judged from few rows mostly add noise."""
FALSE_ALARMS: Final = 0.05
"""How often the test finds heterogeneity where there is none."""
SLOPES: Final = (np.arange(200) + 0.5) / 200
"""How much of what is claimed may come true, if anything does: any share is equally likely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeterogeneityTest:
    """Whether effects differ between users, judged out of fold.

    Attributes
    ----------
    statistic
        Standard normal when effects are constant; large when predicted deviations come true.
    hoped
        What `statistic` is on average if predicted deviations come true in full, ≥ 0.
    p_value
        One-sided.
    found
        Whether `p_value` is at most 5 %, which is what may be said about the trial.
    """

    statistic: float
    hoped: float
    p_value: float
    found: bool

    def trust(self, likely: float) -> float:
        """Return the chance that deviations come true at all, given how likely it was beforehand.

        Deviations are shrunk as far as the marginal likelihood demands, so asking for proof would
        throw away differences that earn more than the constant; and whoever drops them on one
        side of a threshold lets chance decide over all of them. Small claims cannot be expected
        to show, and large ones that do not show are chance.

        Notes
        -----
        The statistic is normal with variance 1 around ``slope · hoped``. That the slope is 0 is
        weighed against slopes spread evenly between 0 and 1 by Bayes' rule.
        """
        signal = SLOPES * self.hoped
        log_ratio = signal * self.statistic - signal**2 / 2
        highest = max(float(log_ratio.max()), 0.0)
        true = likely * float(np.exp(log_ratio - highest).mean())
        return true / (true + (1 - likely) * math.exp(-highest))


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
    usual
        b shares that sum to 1, which few rows hardly move.
    likely
        How likely it is beforehand that users differ, between 0 and 1.
    """

    claim: FloatArray
    contrast: FloatArray
    residual: FloatArray
    weight: FloatArray
    usual: tuple[float, ...]
    likely: float

    def test(self) -> HeterogeneityTest:
        """Test all claims together, in their usual shares.

        Notes
        -----
        The slope of the residual on the claim, with constant effects partialled out, over its
        heteroscedasticity-robust standard error: the "best linear predictor" test.

        References
        ----------
        Chernozhukov, Demirer, Duflo, Fernández-Val: Generic machine learning inference on
        heterogeneous treatment effects, arXiv:1712.04802, section 3.
        """
        return _tested(self._evidence().sum(axis=0))

    def blend(self, folds: Folds) -> Blend:
        """Return the shares that explain the residual best, none negative, times the trust."""
        claim = np.column_stack([self._unexplained(column) for column in self.claim.T])
        residual = self._unexplained(self.residual)
        weighted = claim * self.weight[:, None]
        grams = np.stack([weighted[i].T @ claim[i] for _, i in folds])
        moments = np.stack([weighted[i].T @ residual[i] for _, i in folds])
        evidence = self._evidence()
        inside = np.stack([evidence[i].sum(axis=0) for _, i in folds])

        def share(held: int | None) -> FloatArray:
            """Return the shares by all rows, or by those outside a fold."""
            told, gram, moment = (
                each.sum(axis=0) - (0 if held is None else each[held])
                for each in (inside, grams, moments)
            )
            return _tested(told).trust(self.likely) * _shares(gram, moment, self.usual)

        return Blend(
            share=share(None),
            share_outside=np.stack([share(fold) for fold in range(folds.count)]),
        )

    def _evidence(self) -> FloatArray:
        """Return what each row adds to the evidence that `_tested` weighs, (n, 3)."""
        claim = self._unexplained(self.claim @ np.array(self.usual))
        moved = self.weight * claim * self._unexplained(self.residual)
        return np.column_stack([moved, moved**2, self.weight * claim**2])

    def _unexplained(self, column: FloatArray) -> FloatArray:
        """Return what constant effects per offer leave of a column."""
        weighted = self.contrast * self.weight[:, None]
        slope = np.linalg.lstsq(weighted.T @ self.contrast, weighted.T @ column, rcond=None)[0]
        return np.asarray(column - self.contrast @ slope)


def _tested(evidence: FloatArray) -> HeterogeneityTest:
    """Test claims, given three sums over rows.

    They are the slope's numerator, which is 0 on average by chance; its variance, a sum of
    squares; and what the numerator is on average if all claims are true.
    """
    moved, noise, claimed = map(float, evidence)
    error = math.sqrt(noise) if noise > 0 else math.inf
    statistic = moved / error
    p_value = 0.5 * math.erfc(statistic / math.sqrt(2))
    return HeterogeneityTest(
        statistic=statistic,
        hoped=claimed / error,
        p_value=p_value,
        found=p_value <= FALSE_ALARMS,
    )


def _shares(gram: FloatArray, moment: FloatArray, usual: tuple[float, ...]) -> FloatArray:
    """Solve ``min ½ s'Gs - m's + ½ |s - usual|² / sd²`` over s ≥ 0."""
    from scipy.optimize import nnls  # half a second that only fitting should pay

    precision = np.eye(len(moment)) / PRIOR_SD**2
    factor = np.linalg.cholesky(gram + precision)
    target = np.linalg.solve(factor, moment + precision @ np.array(usual))
    return np.asarray(nnls(factor.T, target)[0])
