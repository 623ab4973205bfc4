"""The constant effect per offer: the baseline that every model has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.folds import Folds
from incentive_engine.uplift.randomisation import Randomisation

SIZES: Final = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
"""How large effects are thought to be, in units of the measured ones or of their noise."""
LIKENESSES: Final = (0.0, 0.5, 0.8, 0.95, 0.99)
"""How alike the offers' average effects are thought to be, as their correlation."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Averages:
    """Average effects per offer over the rows in its reach.

    Attributes
    ----------
    effect : (k,) float64
        Shrunk towards zero and towards each other as far as they may be chance.
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
    on average, however exact the means are; shrinking all effects by their errors corrects that,
    and pulling them together keeps a plan from chasing the offer that was luckiest.
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
    Effects are thought to be normal around zero with a covariance T of a common size and
    likeness; for each T the believed effects are ``T (T + error)⁻¹ effect``, and the T count by
    their marginal likelihood. So an offer that few people got is believed to work about as well
    as the others do, not as if it did nothing.
    """
    k = len(effect)
    precision = 1 / np.maximum(np.diag(error), 1e-30)
    # an offer that few rows measured says nothing about the size of effects
    unit = max(float(precision @ effect**2), float(k)) / float(precision.sum())
    fits, pulls = [], []
    for size, alike in product(SIZES, LIKENESSES):
        prior = size**2 * unit * (alike + (1 - alike) * np.eye(k))
        total = prior + error
        fit = effect @ np.linalg.solve(total, effect) + np.linalg.slogdet(total)[1]
        fits.append(-0.5 * float(fit))
        pulls.append(np.linalg.solve(total, prior).T)
    weight = np.exp(np.array(fits) - max(fits))
    return np.asarray(np.tensordot(weight / weight.sum(), np.stack(pulls), axes=1))
