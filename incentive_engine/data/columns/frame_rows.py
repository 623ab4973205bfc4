"""Rows of frames: which of them meet conditions, and where the row of an id stands."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from incentive_engine.config.conditions import Where
from incentive_engine.data.columns.conditions import matches
from incentive_engine.data.tables.frames import from_frame
from incentive_engine.domain import BoolArray, IntArray


def rows_matching(frame: pd.DataFrame, where: Where) -> BoolArray:
    """Return which rows of a frame meet all conditions, (n,) bool; see `conditions.matches`."""
    if not where:
        return np.ones(len(frame), dtype=np.bool_)
    return matches(from_frame(frame[list(where)]), where)


def places(wanted: pd.Series, ids: pd.Series) -> IntArray:
    """Return the position of each wanted id, -1 where there is none; text and numbers match."""
    if is_numeric_dtype(wanted) != is_numeric_dtype(ids):
        wanted, ids = wanted.astype("str"), ids.astype("str")
    return np.asarray(pd.Index(ids).get_indexer(pd.Index(wanted)), dtype=np.int64)
