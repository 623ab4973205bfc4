"""Which users a `where` means."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype, is_string_dtype

from incentive_engine.config.schema import Range, Scalar, Where
from incentive_engine.domain import BoolArray, FloatArray


def matches(frame: pd.DataFrame, where: Where) -> BoolArray:
    """Return which rows meet all conditions.

    Parameters
    ----------
    frame
        n rows; has every column that `where` names, numbers where it names a range.
    where
        Column to a range or to the values that match; empty, every row matches.

    Returns
    -------
    (n,) bool. A missing value matches nothing; a text never matches a number.
    """
    met = np.ones(len(frame), dtype=np.bool_)
    for column, condition in where.items():
        values = frame[column]
        met &= (
            _in_range(values, condition)
            if isinstance(condition, Range)
            else _is_any(values, condition)
        )
    return met


def comparable(values: pd.Series, wanted: tuple[Scalar, ...]) -> list[Scalar]:
    """Return those of `wanted` that a column of this type can hold at all."""
    if is_numeric_dtype(values) or is_bool_dtype(values):
        return [value for value in wanted if not isinstance(value, str)]
    if is_string_dtype(values):
        return [value for value in wanted if isinstance(value, str)]
    return []


def _in_range(values: pd.Series, condition: Range) -> BoolArray:
    numbers: FloatArray = values.to_numpy(dtype=np.float64, na_value=np.nan)
    met = ~np.isnan(numbers)
    if condition.at_least is not None:
        met &= numbers >= condition.at_least
    if condition.below is not None:
        met &= numbers < condition.below
    return met


def _is_any(values: pd.Series, wanted: tuple[Scalar, ...]) -> BoolArray:
    return np.asarray(values.isin(comparable(values, wanted)).to_numpy(), dtype=np.bool_)
