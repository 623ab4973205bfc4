"""Which users a `where` means."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from incentive_engine.config.conditions import Range, Where
from incentive_engine.data.tables.arrow import Column, equal, numbers
from incentive_engine.domain import BoolArray


def matches(table: pa.Table, where: Where) -> BoolArray:
    """Return which rows meet all conditions.

    Parameters
    ----------
    table
        n rows; has every column that `where` names, numbers where it names a range.
    where
        Column to a range or to the values that match; empty, every row matches.

    Returns
    -------
    (n,) bool. A missing value matches nothing; a text never matches a number.
    """
    met = np.ones(table.num_rows, dtype=np.bool_)
    for name, condition in where.items():
        column = table.column(name)
        if isinstance(condition, Range):
            met &= _in_range(column, condition)
        else:
            met &= np.logical_or.reduce([equal(column, value) for value in condition])
    return met


def _in_range(column: Column, condition: Range) -> BoolArray:
    values = numbers(column)
    met = ~np.isnan(values)
    if condition.at_least is not None:
        met &= values >= condition.at_least
    if condition.below is not None:
        met &= values < condition.below
    return met
