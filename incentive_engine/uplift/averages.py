"""The constant effect per offer: the baseline that every model has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.folds import Folds
from incentive_engine.uplift.randomisation import Randomisation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Averages:
    """Average effects per offer over the rows in its reach.

    Attributes
    ----------
    effect, standard_error : (k,) float64
    outside : (folds, k) float64
        The same from the rows outside each fold.
    """

    effect: FloatArray
    standard_error: FloatArray
    outside: FloatArray


def average_effects(residual: FloatArray, lottery: Randomisation, folds: Folds) -> Averages:
    """Return regression-adjusted differences of means, offer against control, within reach."""
    k = lottery.reach.shape[1]
    effect, error, outside = np.zeros(k), np.zeros(k), np.zeros((folds.count, k))
    for offer in range(k):
        reached = lottery.reach[:, offer]
        inverse = np.where(reached, lottery.weight / lottery.share[:, offer + 1].clip(1e-12), 0)
        against = np.where(reached, lottery.weight / lottery.share[:, 0], 0)
        treated = inverse * (lottery.arm == offer + 1)
        control = against * (lottery.arm == 0)
        effect[offer], error[offer] = _difference(residual, treated, control)
        for fold in range(folds.count):
            away = ~folds.holds(fold)
            outside[fold, offer] = _difference(residual, treated * away, control * away)[0]
    return Averages(effect=effect, standard_error=error, outside=outside)


def _difference(
    residual: FloatArray, treated: FloatArray, control: FloatArray
) -> tuple[float, float]:
    """Return the difference of two weighted means and its standard error."""
    means, variance = [], 0.0
    for weight in (treated, control):
        total = max(float(weight.sum()), 1e-12)
        mean = float(weight @ residual) / total
        variance += float(np.square(weight * (residual - mean)).sum()) / total**2
        means.append(mean)
    return means[0] - means[1], float(np.sqrt(variance))
