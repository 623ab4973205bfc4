"""Deviations that come true: their slope in the middle and in both tails.

Effects saturate: nobody buys with a chance above one, and those whom an offer puts off most are
not put off twice as much as those half as far from the average. Sums of models do not know that,
and no model knows what happens where no rows were. So what realised deviations are, on what was
predicted out of fold, is a line with a bend on either side; beyond what the trial's own rows were
predicted it is flat; and `support` says for whom it decays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.stats.systematic_sample import quantile_rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """Three slopes of realised on predicted deviations of k offers.

    Attributes
    ----------
    low, high : (k,) float64
        Where the tails begin, low at most 0 and high at least 0.
    least, most : (k,) float64
        The ends; predictions beyond count as these.
    slope : (3,) float64, ≥ 0
        Of the lower tail, the middle and the upper tail.
    slope_outside : (folds, 3) float64, ≥ 0
        The same by the rows outside each fold.
    """

    low: FloatArray
    high: FloatArray
    least: FloatArray
    most: FloatArray
    slope: FloatArray
    slope_outside: FloatArray

    def flat(self) -> Calibration:
        """Return the calibration whose slopes are 1: what is predicted is believed."""
        return replace(self, slope=np.ones(3), slope_outside=np.ones_like(self.slope_outside))

    def __call__(self, deviation: FloatArray, slope: FloatArray) -> FloatArray:
        """Return calibrated deviations (n, k), by slopes (n, 3) or (1, 3)."""
        inside = deviation.clip(self.least, self.most)
        parts = pieces(inside, self.low, self.high)
        return np.asarray(np.einsum("npk,np->nk", parts, np.broadcast_to(slope, parts.shape[:2])))


def pieces(deviation: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return what of deviations (n, k) is below, between and above two knots, (n, 3, k).

    >>> pieces(np.array([[3.0]]), np.array([-1.0]), np.array([2.0]))[0, :, 0].tolist()
    [0.0, 2.0, 1.0]
    """
    middle = deviation.clip(low, high)
    below, above = np.minimum(deviation - low, 0.0), np.maximum(deviation - high, 0.0)
    return np.stack([below, middle, above], axis=1)


def knots(deviation: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return where tails begin and end, by the deviations (n, k) of the trial's rows.

    Returns
    -------
    low, high, least, most : (k,) float64, as of `Calibration`.
    """
    some = deviation[quantile_rows(len(deviation))]
    # quantiles of the predictions beyond which a tail begins
    low, high = np.quantile(some, (0.25, 0.75), axis=0)
    # quantiles of the predictions beyond which none is believed
    least, most = np.quantile(some, (0.001, 0.999), axis=0)
    return (
        np.minimum(low, 0.0),
        np.maximum(high, 0.0),
        np.minimum(least, 0.0),
        np.maximum(most, 0.0),
    )
