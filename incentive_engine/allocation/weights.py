"""How much each user's outcome counts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from incentive_engine.config.policy import WeightFactor
from incentive_engine.data.tables.arrow import Column, equal, numbers
from incentive_engine.domain import FloatArray


def weights_of(attributes: pa.Table, factors: tuple[WeightFactor, ...]) -> FloatArray:
    """Return (n,) float64: the product of a user's factors; a missing value counts 1.

    Parameters
    ----------
    attributes
        n rows, with every column that the factors name.
    """
    weight = np.ones(attributes.num_rows)
    for factor in factors:
        column = attributes.column(factor.column)
        weight *= _listed(column, factor) if factor.power is None else _power(column, factor)
    return weight


def _listed(column: Column, factor: WeightFactor) -> FloatArray:
    listed = factor.model_dump()["values"]
    result = np.ones(len(column))
    for value in listed:
        result[equal(column, value)] = listed[value]
    return result


def _power(column: Column, factor: WeightFactor) -> FloatArray:
    """(x / median)^power, clipped; negative x counts 0, and so does a median of 0 count 1."""
    assert factor.power is not None
    x = numbers(column).astype(np.float64, copy=False)
    known = ~np.isnan(x)
    x = np.maximum(x, 0.0)
    median = float(np.median(x[known])) if known.any() else 1.0
    with np.errstate(divide="ignore"):
        factor_of = (x[known] / (median if median > 0 else 1.0)) ** factor.power
    result = np.ones(len(x))
    result[known] = np.clip(factor_of, *factor.clip)
    return result
