"""Checks of rows and columns that every table shares; problems are collected, not thrown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_integer_dtype, is_numeric_dtype, is_string_dtype

from incentive_engine.data.formats import MISSING_NUMBERS, USER_ID
from incentive_engine.domain import BoolArray, FloatArray
from incentive_engine.errors import DataError, Fault

NAMED_ROWS: Final = 3
"""So many offending rows are named; the others are counted."""
NAMED_COLUMNS: Final = 12
"""A table with more columns than this is not listed in a message."""

NEAR: Final = 0.75
"""Names less alike than this are no hint: `spend__a` is not meant by `cost__a`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowChecks:
    """Collects what is wrong with the rows of one table.

    Attributes
    ----------
    where
        The table's path, or what else it is called.
    user_id
        (n,) ids as read, to name rows by.
    faults
        What was found so far.
    """

    where: str
    user_id: pd.Series
    faults: list[Fault] = field(default_factory=list)

    def refuse(self, bad: BoolArray, what: str, *, expected: str = "", remedy: str = "") -> None:
        """Add a fault if any row is bad: how many are, and which come first."""
        if bad.any():
            text = f"{what} in {self._some(bad)}"
            self.faults.append(Fault(self.where, text, expected, remedy))

    def numbers(self, column: pd.Series) -> FloatArray:
        """Return a column as (n,) float64; text and infinite values are refused.

        A missing value is NaN, and so is a refused one.
        """
        name = f"`{column.name}`"
        if is_numeric_dtype(column) or is_bool_dtype(column):
            values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            text = column.astype("str")
            values = np.asarray(pd.to_numeric(text, errors="coerce"), dtype=np.float64)
            missing = column.isna() | text.isin(MISSING_NUMBERS)
            stray = np.isnan(values) & ~np.asarray(missing, dtype=np.bool_)
            self.refuse(stray, f"{name} is not a number", expected="numbers")
        infinite = np.isinf(values)
        self.refuse(infinite, f"{name} is infinite", expected="finite numbers")
        return np.where(infinite, np.nan, values) if infinite.any() else values

    def unique_ids(self) -> None:
        """Refuse missing and repeated ids, and ids that are neither integers nor text."""
        ids = self.user_id
        missing = np.asarray(ids.isna(), dtype=np.bool_)
        if is_string_dtype(ids):
            missing = missing | np.asarray(ids == "", dtype=np.bool_)
        elif not is_integer_dtype(ids) and not missing.any():
            what = f"`{USER_ID}` is of type {ids.dtype}"
            self.faults.append(Fault(self.where, what, "integers or text"))
            return
        self.refuse(missing, f"`{USER_ID}` is missing", expected="an id in each row")
        repeated = np.asarray(ids.duplicated(), dtype=np.bool_) & ~missing
        remedy = "keep one row per user"
        self.refuse(repeated, f"`{USER_ID}` repeats an earlier row", remedy=remedy)

    def done(self) -> None:
        """Raise all that was found.

        Raises
        ------
        DataError
            When there is any fault.
        """
        if self.faults:
            raise DataError(*self.faults)

    def _some(self, bad: BoolArray) -> str:
        rows = np.flatnonzero(bad)
        first = [f"row {row + 1}{self._owner(row)}" for row in rows[:NAMED_ROWS].tolist()]
        more = ", …" if len(rows) > NAMED_ROWS else ""
        return f"{counted(len(rows))} ({', '.join(first)}{more})"

    def _owner(self, row: int) -> str:
        owner = self.user_id.iloc[row]
        return "" if pd.isna(owner) or owner == "" else f" user {owner}"


def missing_columns(needed: Iterable[str], present: Iterable[str], *, where: str) -> list[Fault]:
    """Return a fault per needed column that is not there, with the nearest one that is."""
    names = list(present)
    return [
        Fault(where, f"column `{name}` is missing", remedy=near_column(name, names))
        for name in needed
        if name not in names
    ]


def near_column(name: str, names: Iterable[str]) -> str:
    """Return a hint at the nearest column, or at all of them while they are few.

    >>> near_column("cost_off10", ["user_id", "cost__off10"])
    'did you mean `cost__off10`?'
    """
    known = list(names)
    if match := get_close_matches(name, known, n=1, cutoff=NEAR):
        return f"did you mean `{match[0]}`?"
    return f"it has: {', '.join(known)}" if len(known) <= NAMED_COLUMNS else ""


def counted(rows: int) -> str:
    """Return a number of rows in words.

    >>> counted(1), counted(2000)
    ('1 row', '2,000 rows')
    """
    return f"{rows:,} row{'' if rows == 1 else 's'}"


def as_id(user_id: pd.Series) -> pd.Series:
    """Return checked ids as int64 or str, numbered from 0; integers beyond int64 become text."""
    fits = is_integer_dtype(user_id) and user_id.max() <= np.iinfo(np.int64).max
    plain = user_id.astype("int64" if fits else "str")
    return pd.Series(plain).reset_index(drop=True)
