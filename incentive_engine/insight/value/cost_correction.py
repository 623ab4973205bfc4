"""What a plan really costs, by the trial, and how far costs are corrected for it.

A plan picks the users whose cost is underestimated, as it picks those whose effect is
overestimated. The trial tells the cost of the plan's rule out of fold and doubly robust, with the
error that its redemptions leave. Costs are scaled as far as that is more than chance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from incentive_engine.stats.estimate import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCorrection:
    """By how much the costs of a plan's users exceed their scores, as far as a trial tells.

    Attributes
    ----------
    factor
        Expected over predicted cost; 1 where nothing is corrected.
    error
        Relative standard error that is left of it: the selection's part in the cost's error.
    """

    SELECTION_ERRORS: ClassVar = ((0.8, 0.02), (0.15, 0.05), (0.05, 0.15))
    """What choosing users by scores may add to their costs beforehand: the chance of each relative
    standard deviation. On markets with known costs it was 2 to 4 %, and 12 % where costs were hard
    to foresee; so small departures are held for chance, and large ones are believed."""

    factor: float = 1.0
    error: float = 0.0


def cost_correction(evaluated: Estimate, predicted: float) -> CostCorrection:
    """Return the correction that the evaluated cost of a plan asks for.

    Parameters
    ----------
    evaluated
        The plan's cost by the trial, currency units.
    predicted
        Its cost by the scores.

    Notes
    -----
    The logarithm of the true ratio is normal around 0, with one of
    `CostCorrection.SELECTION_ERRORS`, and that of the evaluated one is normal around the true. The
    posterior mean is the correction.

    >>> round(cost_correction(Estimate(value=110, standard_error=3.0), 100.0).factor, 3)
    1.066
    """
    if predicted <= 0 or evaluated.value <= 0 or not math.isfinite(evaluated.standard_error):
        return CostCorrection()
    seen, noise = math.log(evaluated.value / predicted), evaluated.standard_error / evaluated.value
    chance, spread = np.array(CostCorrection.SELECTION_ERRORS).T
    variance = spread**2 + noise**2
    likely = (
        chance * np.exp(-(seen**2) / 2 * (1 / variance - 1 / variance.max())) / np.sqrt(variance)
    )
    likely /= likely.sum()
    means = seen * spread**2 / variance
    shift = float(likely @ means)
    left = likely @ (spread**2 * noise**2 / variance + (means - shift) ** 2)
    # a correction by less moves fewer users than another seed of the model does
    negligible = 0.002
    factor = 1.0 if abs(shift) < negligible else round(math.exp(shift), 6)
    return CostCorrection(factor=factor, error=math.sqrt(float(left)))


def evaluated_cost(cost: Estimate, correction: CostCorrection) -> Mapping[str, float]:
    """Return the entry `budget.evaluated` of certificate.json."""
    return {
        "estimate": cost.value,
        "low": cost.low,
        "high": cost.high,
        "correction": correction.factor,
    }
