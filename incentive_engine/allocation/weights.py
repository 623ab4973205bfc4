"""How much each user's outcome counts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from incentive_engine.config.policy import WeightFactor
from incentive_engine.data.tables.arrow import Column, equal, numbers
from incentive_engine.domain import FloatArray

Medians = tuple[float | None, ...]
"""Per factor of a weight the median that its power is relative to; None for a table of values."""


def weights_of(
    attributes: pa.Table, factors: tuple[WeightFactor, ...], medians: Medians | None = None
) -> FloatArray:
    """Return (n,) float64: the product of a user's factors; a missing value counts 1.

    Parameters
    ----------
    attributes
        n rows, with every column that the factors name.
    medians
        Those of the plan's users, where these rows are only some of them; None takes these rows'.
    """
    weight = np.ones(attributes.num_rows)
    for factor, median in zip(factors, medians or medians_of(attributes, factors), strict=True):
        column = attributes.column(factor.column)
        weight *= _listed(column, factor) if median is None else _power(column, factor, median)
    return weight


def medians_of(attributes: pa.Table, factors: tuple[WeightFactor, ...]) -> Medians:
    """Return the medians of the columns whose powers weigh users; parameters as `weights_of`."""
    return tuple(
        None if factor.power is None else _median(attributes.column(factor.column))
        for factor in factors
    )


def _listed(column: Column, factor: WeightFactor) -> FloatArray:
    listed = factor.model_dump()["values"]
    result = np.ones(len(column))
    for value in listed:
        result[equal(column, value)] = listed[value]
    return result


def _median(column: Column) -> float:
    """Return the median of what is known, 1 where it is 0 or nothing is known."""
    x = numbers(column).astype(np.float64, copy=False)
    present = np.maximum(x[~np.isnan(x)], 0.0)
    median = float(np.median(present)) if len(present) else 1.0
    return median if median > 0 else 1.0


def _power(column: Column, factor: WeightFactor, median: float) -> FloatArray:
    x = numbers(column).astype(np.float64, copy=False)
    present = ~np.isnan(x)
    result = np.ones(len(x))
    assert factor.power is not None
    with np.errstate(divide="ignore"):
        power = (np.maximum(x[present], 0.0) / median) ** factor.power
    result[present] = np.clip(power, *factor.clip)
    return result


def power_of(x: float, factor: WeightFactor, median: float) -> float:
    """Return (x / median)^power, clipped, of one known x; negative x counts 0."""
    assert factor.power is not None
    ratio = max(x, 0.0) / median
    # an array of one, because numpy computes some powers of single numbers otherwise
    power = (np.array([ratio]) ** factor.power).item() if ratio else _power_of_zero(factor.power)
    low, high = factor.clip
    return float(min(max(power, low), high))


def _power_of_zero(power: float) -> float:
    return 1.0 if power == 0 else 0.0 if power > 0 else np.inf
