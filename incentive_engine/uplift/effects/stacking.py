"""How much of each model of heterogeneity to believe, judged out of fold.

The models' deviations from constant effects are stacked: weights are those that explain the
outcomes of rows which the models did not see, given what is believed of weights beforehand. Two
beliefs compete, by their marginal likelihood: effects that features add up to, which the ridge
says best, and effects of features that act together, which trees say best. Few rows leave the
first in force; many speak for themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.parallel import in_blocks
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.effects.calibration import Calibration, knots, pieces


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What weights may be like before rows speak: normal around `usual`, and not negative."""

    chance: float
    """How likely the belief is beforehand."""
    usual: tuple[float, ...]
    """Of the b models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightPrior:
    """Beliefs about weights, and how far weights may stray from them."""

    beliefs: tuple[Belief, ...]
    each: float
    """Standard deviation of the largest weight by itself; smaller ones have less."""
    together: float
    """Standard deviation of the scale that all weights share, which is 1 beforehand."""

    @property
    def usual(self) -> FloatArray:
        """The expected weights, (b,)."""
        return np.asarray(sum(b.chance * np.array(b.usual) for b in self.beliefs))

    def attenuated(self, factor: float) -> WeightPrior:
        """Return the prior of weights that are so many times smaller."""
        beliefs = (
            Belief(chance=b.chance, usual=tuple(weight / factor for weight in b.usual))
            for b in self.beliefs
        )
        return replace(self, beliefs=tuple(beliefs), each=self.each / factor)

    def covariance(self, belief: Belief) -> FloatArray:
        """Return the prior covariance of the weights under one belief, (b, b)."""
        usual = np.array(belief.usual)
        alone = self.each**2 * np.diag(usual / usual.max())
        return np.asarray(alone + self.together**2 * np.outer(usual, usual))


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

    SLOPES: ClassVar = (np.arange(200) + 0.5) / 200
    """How much of what is claimed may come true, if anything does: any share is equally likely."""

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
        signal = self.SLOPES * self.hoped
        log_ratio = signal * self.statistic - signal**2 / 2
        # both sides are divided by the larger likelihood, so that neither overflows
        highest = max(float(log_ratio.max()), 0.0)
        true = likely * float(np.exp(log_ratio - highest).mean())
        return true / (true + (1 - likely) * math.exp(-highest))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stack:
    """Weights of b models, from all rows and from the rows outside each fold.

    They hold the trust in deviations, and are small where these may be chance.

    Attributes
    ----------
    weight : (b,) float64, ≥ 0
        For new users, whom the mean of the folds' models speaks of.
    weight_outside : (folds, b) float64, ≥ 0
        For the rows of each fold, of whom one model speaks.
    """

    weight: FloatArray
    weight_outside: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeviationEvidence:
    """What the rows say about b models' deviations from constant effects.

    Attributes
    ----------
    claim : (n, b) float64
        ``Σ_j z_j · deviation_j``: by how much each model says the outcome departs.
    contrast : (n, k) float64
        z, the part that constant effects explain.
    residual : (n,) float64
    precision : (n,) float64
        Of the residuals; the test weighs rows by it.
    lottery : (n,) float64
        Weights under which arms are independent of features. The stack weighs rows by these
        alone: a plan counts every user alike, however well outcomes can be foreseen.
    prior
        Of the weights.
    likely
        How likely it is beforehand that users differ, between 0 and 1.
    """

    claim: FloatArray
    contrast: FloatArray
    residual: FloatArray
    precision: FloatArray
    lottery: FloatArray
    prior: WeightPrior
    likely: float

    def test(self) -> HeterogeneityTest:
        """Test all claims together, in their expected weights.

        Notes
        -----
        The slope of the residual on the claim, with constant effects partialled out, over its
        heteroscedasticity-robust standard error: the "best linear predictor" test.

        References
        ----------
        Chernozhukov, Demirer, Duflo, Fernández-Val: Generic machine learning inference on
        heterogeneous treatment effects, arXiv:1712.04802, section 3.
        """
        return _tested(self._moved().sum(axis=0))

    def weigh(self, folds: Folds) -> Stack:
        """Return the weights that explain the residual best, none negative, times the trust."""
        moved = self._moved()
        by_fold = np.stack([moved[inside].sum(axis=0) for _, inside in folds])
        weights = self._solved(self.claim, folds, self.prior)
        trust = [
            # by all rows first, then by those outside each fold in turn
            _tested(by_fold.sum(axis=0) - left_out).trust(self.likely)
            for left_out in (np.zeros(3), *by_fold)
        ]
        weights = [each * believed for each, believed in zip(trust, weights, strict=True)]
        return Stack(weight=weights[0], weight_outside=np.stack(weights[1:]))

    def calibrate(self, stacked: FloatArray, folds: Folds) -> Calibration:
        """Return the slopes of what came true on stacked deviations, (n, k)."""
        low, high, least, most = knots(stacked)
        claim = np.empty((len(stacked), 3))

        def claimed(block: slice) -> None:
            parts = pieces(stacked[block], low, high)
            claim[block] = np.einsum("npk,nk->np", parts, self.contrast[block])

        in_blocks(claimed, len(stacked))
        # of the slopes in the tails and between them: what is stacked is believed to come true
        slope_prior = WeightPrior(
            beliefs=(Belief(chance=1.0, usual=(1.0, 1.0, 1.0)),), each=0.3, together=0.1
        )
        slopes = self._solved(claim, folds, slope_prior)
        return Calibration(
            low=low,
            high=high,
            least=least,
            most=most,
            slope=slopes[0],
            slope_outside=np.stack(slopes[1:]),
        )

    def _solved(self, claims: FloatArray, folds: Folds, prior: WeightPrior) -> list[FloatArray]:
        """Return the weights of claims (n, c) by all rows, and by those outside each fold."""
        weight = self.lottery
        unexplained = self._unexplained(np.column_stack([claims, self.residual]), weight)
        claim, residual = unexplained[:, :-1], unexplained[:, -1]
        scale = 1 / max(float(weight @ residual**2 / weight.sum()), 1e-12)
        pull = claim * (weight * residual)[:, None]
        grams = np.stack([scale * (claim[i] * weight[i, None]).T @ claim[i] for _, i in folds])
        moments = np.stack([scale * pull[i].sum(axis=0) for _, i in folds])
        spreads = np.stack([scale**2 * pull[i].T @ pull[i] for _, i in folds])
        everybody = np.ones((1, folds.count))
        # the first line sums over all folds, the others over all but one
        used = np.concatenate([everybody, 1 - np.eye(folds.count)])
        return [
            stacked_weights(
                np.tensordot(line, grams, axes=1),
                line @ moments,
                np.tensordot(line, spreads, axes=1),
                prior,
            )
            for line in used
        ]

    def _moved(self) -> FloatArray:
        """Return what each row adds to the evidence that `_tested` weighs, (n, 3)."""
        both = np.column_stack([self.claim @ self.prior.usual, self.residual])
        claim, residual = self._unexplained(both, self.precision).T
        moved = self.precision * claim * residual
        return np.column_stack([moved, moved**2, self.precision * claim**2])

    def _unexplained(self, columns: FloatArray, weight: FloatArray) -> FloatArray:
        """Return what constant effects per offer leave of columns, (n, c)."""
        weighted = self.contrast * weight[:, None]
        slope = np.linalg.lstsq(weighted.T @ self.contrast, weighted.T @ columns, rcond=None)[0]
        return np.asarray(columns - self.contrast @ slope)


def stacked_weights(
    gram: FloatArray, moment: FloatArray, spread: FloatArray, prior: WeightPrior
) -> FloatArray:
    """Return the b models' weights, the mean of what each belief makes of the rows.

    Parameters
    ----------
    gram
        (b, b) ``Σ claim claim'`` in units of the residual's variance.
    moment
        (b,) ``Σ claim · residual``, likewise.
    spread
        (b, b) variance of `moment` by the rows themselves, which is `gram` where all residuals
        vary alike.

    Notes
    -----
    Given weights w the log-likelihood is ``(m'w - ½ w'Gw) / κ``, where κ corrects for residuals
    that vary more where claims are large. With a normal prior around w0 of precision P the
    posterior has precision ``G/κ + P``; its mode over w ≥ 0 is found by non-negative least
    squares, and its normalising constant is the belief's marginal likelihood.

    References
    ----------
    Breiman: Stacked regressions, Machine Learning 24 (1996), for weights that are not negative.
    """
    from scipy.optimize import nnls  # half a second that only fitting should pay

    log_chances, weights = [], []
    for belief in prior.beliefs:
        usual, covariance = np.array(belief.usual), prior.covariance(belief)
        precision = np.linalg.inv(covariance)
        foreseen = float(usual @ gram @ usual)
        # how much more the moment varies than a model of equal residuals says
        kappa = max(float(usual @ spread @ usual) / foreseen, 1e-9) if foreseen > 0 else 1.0
        factor = np.linalg.cholesky(gram / kappa + precision)
        target = np.linalg.solve(factor, moment / kappa + precision @ usual)
        likelihood = 0.5 * target @ target - np.log(np.diag(factor)).sum()
        likelihood -= 0.5 * (np.linalg.slogdet(covariance)[1] + usual @ precision @ usual)
        log_chances.append(math.log(belief.chance) + float(likelihood))
        weights.append(nnls(factor.T, target)[0])
    # relative to the largest, as likelihoods of many rows underflow
    chances = np.exp(np.array(log_chances) - max(log_chances))
    return np.asarray(chances / chances.sum() @ np.array(weights))


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
        # how often the test finds heterogeneity where there is none
        found=p_value <= 0.05,
    )
