"""The constant effect per offer: the baseline that every model has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.folds import Folds
from incentive_engine.uplift.randomisation import Randomisation

SIZES: Final = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""How large effects are thought to be, in units of the measured ones or of their noise."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Averages:
    """Average effects per offer over the rows in its reach.

    Attributes
    ----------
    effect : (k,) float64
        Shrunk towards zero as far as it may be chance.
    standard_error : (k,) float64
        Of the measured effects, before shrinkage.
    outside : (folds, k) float64
        The effects from the rows outside each fold, shrunk as `effect` is.
    """

    effect: FloatArray
    standard_error: FloatArray
    outside: FloatArray


def average_effects(residual: FloatArray, lottery: Randomisation, folds: Folds) -> Averages:
    """Return regression-adjusted differences of means, offer against control, within reach.

    A plan picks the offer that looks best for its cost, so the error of what it picks is not zero
    on average, however exact the means are; shrinking all effects by their errors corrects that.
    """
    k = lottery.reach.shape[1]
    effect, outside = np.zeros(k), np.zeros((folds.count, k))
    influence = np.empty((len(residual), k))
    for offer in range(k):
        reached = lottery.reach[:, offer]
        inverse = np.where(reached, lottery.weight / lottery.share[:, offer + 1].clip(1e-12), 0)
        against = np.where(reached, lottery.weight / lottery.share[:, 0], 0)
        treated = inverse * (lottery.arm == offer + 1)
        control = against * (lottery.arm == 0)
        effect[offer], influence[:, offer] = _difference(residual, treated, control)
        for fold in range(folds.count):
            away = folds.outside(fold)
            parts = residual[away], treated[away], control[away]
            outside[fold, offer] = _difference(*parts)[0]
    error = influence.T @ influence
    pull = _shrinkage(effect, error)
    return Averages(
        effect=pull @ effect,
        standard_error=np.sqrt(np.diag(error)),
        outside=outside @ pull.T,
    )


def _difference(
    residual: FloatArray, treated: FloatArray, control: FloatArray
) -> tuple[float, FloatArray]:
    """Return the difference of two weighted means, and how much each row moves it, (n,)."""
    difference, influence = 0.0, np.zeros(len(residual))
    for sign, weight in ((1, treated), (-1, control)):
        total = max(float(weight.sum()), 1e-12)
        mean = float(weight @ residual) / total
        difference += sign * mean
        influence += sign * weight * (residual - mean) / total
    return difference, influence


def _shrinkage(effect: FloatArray, error: FloatArray) -> FloatArray:
    """Return the matrix (k, k) that turns measured effects into believed ones.

    Parameters
    ----------
    effect
        (k,) measured.
    error
        (k, k) covariance of their errors; control is common to all.

    Notes
    -----
    Effects are thought to be normal around zero with a common variance t; for each t the believed
    effects are ``t (t + error)⁻¹ effect``, and the t count by their marginal likelihood.
    """
    k = len(effect)
    unit = max(float(np.mean(effect**2)), float(np.mean(np.diag(error))), 1e-30)
    fits, pulls = [], []
    for size in SIZES:
        variance = size**2 * unit
        total = variance * np.eye(k) + error
        fit = effect @ np.linalg.solve(total, effect) + np.linalg.slogdet(total)[1]
        fits.append(-0.5 * float(fit))
        pulls.append(variance * np.linalg.inv(total))
    weight = np.exp(np.array(fits) - max(fits))
    return np.asarray(np.tensordot(weight / weight.sum(), np.stack(pulls), axes=1))
