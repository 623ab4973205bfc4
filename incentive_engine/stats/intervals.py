"""Means with their intervals."""

from __future__ import annotations

from statistics import NormalDist
from typing import Final

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.stats.estimate import Estimate

NORMAL_95: Final = NormalDist().inv_cdf(0.975)
"""Standard errors on each side of a normal 95 % interval."""


def mean_with_interval(values: FloatArray, weight: FloatArray | None = None) -> Estimate:
    """Return the (weighted) mean of (n,) independent values with its 95 % interval."""
    n = len(values)
    if n < 2:
        return interval(float(values.sum()), float("inf"))
    if weight is None:
        return interval(float(values.mean()), float(values.std(ddof=1)) / np.sqrt(n))
    mean = float(weight @ values / weight.sum())
    error = float(np.sqrt(np.square(weight * (values - mean)).sum()) / weight.sum())
    return interval(mean, error)


def interval(estimate: float, error: float) -> Estimate:
    """Return an estimate with its normal 95 % interval."""
    reach = NORMAL_95 * error
    return Estimate(
        value=estimate, standard_error=error, low=estimate - reach, high=estimate + reach
    )
