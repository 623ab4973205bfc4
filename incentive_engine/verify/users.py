"""Who a user is to the policy: which conditions match, which weight, which offers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.types import is_string_dtype

from incentive_engine.config.schema import Condition, Policy, Range, Scalar, WeightFactor, Where
from incentive_engine.data.holdout import draw_holdout
from incentive_engine.domain import BoolArray, FloatArray


def matching(attributes: pd.DataFrame, where: Where) -> BoolArray:
    """Return which users meet every condition, (n,) bool; a missing value meets none."""
    met = np.ones(len(attributes), dtype=np.bool_)
    for column, condition in where.items():
        met &= _meets(attributes[column], condition)
    return met


def weights(attributes: pd.DataFrame, policy: Policy) -> FloatArray:
    """Return how much each user's outcome counts, (n,) float64, >= 0."""
    weight = np.ones(len(attributes))
    for factor in policy.objective.weight:
        column = attributes[factor.column]
        weight *= _power(column, factor) if factor.power is not None else _table(column, factor)
    return weight


def drawn_holdout(user_id: pd.Series[Any], attributes: pd.DataFrame, policy: Policy) -> BoolArray:
    """Return who must not get an offer, (n,) bool, drawn again from the policy's seed."""
    if not policy.holdout:
        return np.zeros(len(user_id), dtype=np.bool_)
    strata = pa.Table.from_pandas(attributes[list(policy.holdout_strata)], preserve_index=False)
    ids = pa.Array.from_pandas(user_id)
    return draw_holdout(ids, strata, share=policy.holdout, seed=policy.seed)


def allowed(attributes: pd.DataFrame, policy: Policy, offer: str) -> BoolArray:
    """Return which users the eligibility rules let have an offer, (n,) bool."""
    met = np.ones(len(attributes), dtype=np.bool_)
    for rule in policy.eligibility:
        if offer in rule.offers:
            met &= matching(attributes, rule.where)
    return met


def _meets(column: pd.Series[Any], condition: Condition) -> BoolArray:
    if isinstance(condition, Range):
        numbers: FloatArray = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
        met = ~np.isnan(numbers)
        if condition.at_least is not None:
            met &= numbers >= condition.at_least
        if condition.below is not None:
            met &= numbers < condition.below
        return met
    met = np.zeros(len(column), dtype=np.bool_)
    for value in condition:
        met |= _equals(column, value)
    return met


def _equals(column: pd.Series[Any], value: Scalar) -> BoolArray:
    if is_string_dtype(column) != isinstance(value, str):
        return np.zeros(len(column), dtype=np.bool_)
    same = (column == value) & column.notna()
    return np.asarray(same.to_numpy(dtype=np.bool_, na_value=False))


def _table(column: pd.Series[Any], factor: WeightFactor) -> FloatArray:
    result = np.ones(len(column))
    for value, times in dict(factor.values or {}).items():  # noqa: PD011 - a field
        result[_equals(column, value)] = times
    return result


def _power(column: pd.Series[Any], factor: WeightFactor) -> FloatArray:
    numbers: FloatArray = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    missing = np.isnan(numbers)
    if missing.all():
        return np.ones(len(numbers))
    numbers = np.maximum(numbers, 0.0)
    median = float(np.median(numbers[~missing]))
    with np.errstate(divide="ignore", invalid="ignore"):
        raised = (numbers / (median if median > 0 else 1.0)) ** (factor.power or 0.0)
    return np.where(missing, 1.0, np.clip(raised, *factor.clip))
