"""How actual costs follow predicted ones: a line with a bend, in logarithms.

Trees and shrunken effects cannot tell how small the smallest costs are: those of users who hardly
redeem are forecast too high, and as each offer's total comes true, those of all others too low. A
plan that picks users who react pays the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from incentive_engine.domain import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostSlope:
    """A correction of predicted costs by how far they are from their offer's mean.

    Attributes
    ----------
    mean : (k,) float64
        Of each offer's predicted costs, currency units, > 0.
    slope : (2,) float64
        Of the logarithm of actual over predicted cost on that of predicted over mean cost:
        everywhere, and what is added to it below the mean.
    """

    FURTHEST: ClassVar[float] = 1.5
    """Costs beyond e^±1.5 times their offer's mean are corrected as those that far from it."""

    mean: FloatArray
    slope: FloatArray

    def __call__(self, cost: FloatArray) -> FloatArray:
        """Return corrected costs, (n, k), of predicted ones."""
        away = _away(cost, self.mean)
        return np.asarray(
            cost * np.exp(self.slope[0] * away + self.slope[1] * np.minimum(away, 0.0))
        )

    def to_json(self) -> dict[str, Any]:
        """Return the content of the model file."""
        return {"mean": self.mean.tolist(), "slope": self.slope.tolist()}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Read what `to_json` gave."""
        return cls(mean=np.array(content["mean"]), slope=np.array(content["slope"]))


def no_slope(offers: int) -> CostSlope:
    """Return the correction that leaves every cost as it is."""
    return CostSlope(mean=np.ones(offers), slope=np.zeros(2))


def fit_slope(
    predicted: FloatArray,
    *,
    offer: IntArray,
    paid: FloatArray,
    weight: FloatArray,
    pays: FloatArray,
    mean: FloatArray,
    error: float,
) -> CostSlope:
    """Learn the correction from m rows that got an offer.

    Parameters
    ----------
    predicted, paid
        (m,) cost of each row, out of fold and as it was, currency units.
    offer, weight
        (m,) what it got, and how much it counts, 1 on average.
    pays
        (k,) what one redemption pays: the scale in which costs are counts.
    mean
        (k,) of each offer's predictions.
    error
        Standard deviation of each slope beforehand, around 0.

    Notes
    -----
    Costs in redemptions are counts of mean ``predicted · exp(a_offer + b'x)``, with a normal prior
    on both slopes and, as totals are calibrated apart, none on a. The mode is found by Newton's
    method over cells of offer and x; their dispersion weighs them against the prior.
    """
    away = _away(predicted, mean[offer])
    # bins of logarithms, per offer: within one of them the correction hardly differs
    bins = 64
    place = (
        ((away + CostSlope.FURTHEST) / (2 * CostSlope.FURTHEST) * (bins - 1))
        .round()
        .astype(np.int64)
    )
    cell = offer * bins + place
    size = len(mean) * bins
    unit = np.repeat(pays, bins).clip(1e-12)
    forecast, actual = (np.bincount(cell, weight * c, size) / unit for c in (predicted, paid))
    has_forecast = forecast > 0
    x = np.tile(np.linspace(-CostSlope.FURTHEST, CostSlope.FURTHEST, bins), len(mean))
    of_offer = np.repeat(np.eye(len(mean)), bins, axis=0)
    design = np.column_stack([x, np.minimum(x, 0.0), of_offer])[has_forecast]
    forecast, actual = forecast[has_forecast], actual[has_forecast]
    surprise = weight * (paid - predicted) / pays[offer].clip(1e-12)
    dispersion = float(surprise @ surprise) / max(float(forecast.sum()), 1e-12)
    prior = np.array([dispersion / error**2] * 2 + [1e-6] * len(mean))
    mode = np.zeros(design.shape[1])
    # steps of Newton's method, which starts next to the mode
    for _ in range(8):
        expected = forecast * np.exp((design @ mode).clip(-CostSlope.FURTHEST, CostSlope.FURTHEST))
        pull = design.T @ (actual - expected) - prior * mode
        mode += np.linalg.solve((design * expected[:, None]).T @ design + np.diag(prior), pull)
    return CostSlope(mean=mean, slope=mode[:2])


def _away(cost: FloatArray, mean: FloatArray) -> FloatArray:
    """Return by how much costs are from their offer's mean, in logarithms."""
    return np.log(np.maximum(cost, 1e-12) / mean).clip(-CostSlope.FURTHEST, CostSlope.FURTHEST)
