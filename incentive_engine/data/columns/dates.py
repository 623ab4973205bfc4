"""Dates that a file holds as text."""

from __future__ import annotations

import re
from collections.abc import Collection

import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype


def dates_in(column: pd.Series) -> pd.Series | None:
    """Return a column of text as dates, if every value is an ISO 8601 date or time.

    Times with a zone become those of UTC, as they do where a file's type says that it holds times.

    >>> dates_in(pd.Series(["2025-11-11", None])).dt.day.tolist()
    [11.0, nan]
    >>> dates_in(pd.Series(["2025-11-11", "soon"])) is None
    True
    """
    first = column.first_valid_index()
    if first is None or not re.fullmatch(r"\d{4}-\d{2}-\d{2}([T ].*)?", str(column.loc[first])):
        return None
    codes, words = pd.factorize(column)
    moments = pd.to_datetime(
        pd.Series(words, dtype="str"), format="ISO8601", errors="coerce", utc=True
    )
    if moments.isna().any():
        return None
    dates = moments.dt.tz_localize(None).reindex(codes)
    return dates.set_axis(column.index, axis=0)


def with_dates(frame: pd.DataFrame, *, besides: Collection[str]) -> pd.DataFrame:
    """Return a frame with dates in place of text that says dates, `besides` some columns."""
    read = {
        str(name): dates
        for name, column in frame.items()
        if name not in besides
        and not (is_numeric_dtype(column) or is_datetime64_any_dtype(column))
        and (dates := dates_in(column)) is not None
    }
    return frame.assign(**read) if read else frame
