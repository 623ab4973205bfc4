"""Checks of rows and columns that every table shares; problems are collected, not thrown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.csv import ConvertOptions

from incentive_engine.data.hashing import repeated
from incentive_engine.data.tables.arrow import (
    Column,
    FloatColumn,
    as_arrow,
    as_numpy,
    is_missing,
    is_number,
    is_text,
    numbers,
    whole,
)
from incentive_engine.domain import USER_ID, BoolArray, IntArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import Message, Text, say


def _smallest(kind: np.dtype[Any]) -> float:
    # numbers nearer to 0 vanish, or overflow, when one is divided by another
    smallest = 1e-100
    return max(smallest, float(np.finfo(kind).tiny))


@dataclass(slots=True, kw_only=True)
class Refusal:
    """Rows that are refused for one reason.

    Attributes
    ----------
    what, expected, remedy
        As of a `Fault`.
    count
        How many rows there are so far.
    first
        The first of them, counted from 0.
    """

    what: Text
    expected: Text
    remedy: Text
    count: int = 0
    first: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowChecks:
    """Collects what is wrong with the rows of one table, which may come block by block.

    Attributes
    ----------
    where
        The table's path, or what else it is called.
    user_id
        n ids as read, to name rows by.
    faults
        What was found so far.
    """

    LARGEST: ClassVar[float] = 1e15
    """Numbers beyond this lose the hundredths of a currency unit in a float."""
    NAMED_ROWS: ClassVar[int] = 3
    """So many offending rows are named; the others are counted."""
    NAMED_COLUMNS: ClassVar[int] = 12
    """A table with more columns than this is not listed in a message."""

    where: str
    user_id: Column
    faults: list[Fault | Refusal] = field(default_factory=list)

    def refuse(
        self, bad: BoolArray, what: Text, *, expected: Text = "", remedy: Text = "", start: int = 0
    ) -> None:
        """Add a fault if any row is bad: how many are, and which come first.

        Parameters
        ----------
        bad
            (b,) bool, rows from `start` on.
        """
        if not bad.any():
            return
        rows = np.flatnonzero(bad)
        alike = (fault for fault in self.faults if isinstance(fault, Refusal))
        refusal = next((one for one in alike if one.what == what), None)
        if refusal is None:
            refusal = Refusal(what=what, expected=expected, remedy=remedy)
            self.faults.append(refusal)
        refusal.count += len(rows)
        left = self.NAMED_ROWS - len(refusal.first)
        refusal.first += (start + rows[:left]).tolist()

    def numbers(self, name: str, column: Column, *, start: int = 0) -> FloatColumn:
        """Return a column as (b,) float32 or float64; what is no number to reckon with is refused.

        That is text, infinite values, and those so large or so near to 0 that products of them
        are. A missing value is NaN, and so is a refused one. The first row is the table's `start`.
        """
        values = numbers(column) if is_number(column.type) else self._parsed(name, column, start)
        size = np.abs(values)
        infinite, tiny = np.isinf(size), (size > 0) & (size < _smallest(values.dtype))
        huge = (size > self.LARGEST) & ~infinite
        odd = infinite | tiny | huge
        if not odd.any():
            return values
        self.refuse(
            infinite,
            say("`{name}` is infinite", name=name),
            expected="finite numbers",
            start=start,
        )
        what, expected = (
            say("`{name}` is beyond {largest:.0e}", name=name, largest=self.LARGEST),
            "sums that can be reckoned exactly",
        )
        self.refuse(huge, what, expected=expected, remedy="use a larger unit", start=start)
        what, expected = (
            say("`{name}` is nearer to 0 than any real value", name=name),
            "0 or a larger number",
        )
        self.refuse(tiny, what, expected=expected, remedy="write 0", start=start)
        return np.where(odd, np.nan, values)

    def _parsed(self, name: str, column: Column, start: int) -> FloatColumn:
        """Return the numbers in a column of text; there is some word that is none."""
        from pandas import to_numeric

        text = column.to_pandas().astype("str")
        values = np.asarray(to_numeric(text, errors="coerce"), dtype=np.float64)
        # words that mean a missing number in CSV, such as ``NaN`` and ``NA``; as text they stay
        missing = text.isna() | text.isin(tuple(ConvertOptions().null_values))
        stray = np.isnan(values) & ~np.asarray(missing, dtype=np.bool_)
        self.refuse(
            stray, say("`{name}` is not a number", name=name), expected="numbers", start=start
        )
        return values

    def unique_ids(self) -> None:
        """Refuse missing and repeated ids, and ids that are neither integers nor text."""
        ids = whole(self.user_id)
        if pa.types.is_dictionary(ids.type):
            ids = ids.cast(ids.type.value_type)
        missing = is_missing(ids)
        # bytes of an id; longer ones are no ids, and each pass over them costs seconds
        longest_id = 1_000
        if is_text(ids.type):
            length = as_numpy(pc.binary_length(ids))
            missing |= length == 0
            what, expected = (
                say("`{user_id}` is too long", user_id=USER_ID),
                say("at most {bound:,} bytes", bound=longest_id),
            )
            self.refuse(length > longest_id, what, expected=expected, remedy="use a shorter key")
            if (length > longest_id).any():
                return
        elif not pa.types.is_integer(ids.type) and not missing.any():
            what = say("`{user_id}` is of type {type}", user_id=USER_ID, type=ids.type)
            self.faults.append(Fault(self.where, what, "integers or text"))
            return
        self.refuse(
            missing, say("`{user_id}` is missing", user_id=USER_ID), expected="an id in each row"
        )
        if pa.types.is_integer(ids.type) or is_text(ids.type):
            repeats = np.zeros(len(ids), dtype=np.bool_)
            present = ids.take(as_arrow(np.flatnonzero(~missing))) if missing.any() else ids
            repeats[~missing] = repeated(present)
            remedy = "keep one row per user"
            self.refuse(
                repeats, say("`{user_id}` repeats an earlier row", user_id=USER_ID), remedy=remedy
            )

    def done(self) -> None:
        """Raise all that was found.

        Raises
        ------
        DataError
            When there is any fault.
        """
        if self.faults:
            raise DataError(*self.found())

    def found(self) -> list[Fault]:
        """Return all that was found, rows that are refused for one reason as one fault."""
        return [self._told(fault) for fault in self.faults]

    def _told(self, found: Fault | Refusal) -> Fault:
        if isinstance(found, Fault):
            return found
        what = found.what if isinstance(found.what, Message) else say(found.what)
        values = {
            "what": what,
            "counted": counted(found.count),
            "first": tuple(map(self._named, found.first)),
        }
        text = say("{what} in {counted} ({first})", **values)
        if found.count > self.NAMED_ROWS:
            text = say("{what} in {counted} ({first}, …)", **values)
        return Fault(self.where, text, found.expected, found.remedy)

    def _named(self, row: int) -> Message:
        """Return a row's number, counted from 1, and its user."""
        owner = self.user_id[row].as_py()
        if owner is None or owner == "":
            return say("row {row}", row=row + 1)
        text = str(owner)
        # characters of an id that a message repeats
        shown_id = 40
        shown = text if len(text) <= shown_id else f"{text[:shown_id]}…"
        return say("row {row} user {user}", row=row + 1, user=shown)


def missing_columns(needed: Iterable[str], present: Iterable[str], *, where: str) -> list[Fault]:
    """Return a fault per needed column that is not there, with the nearest one that is."""
    names = list(present)
    return [
        Fault(where, say("column `{name}` is missing", name=name), remedy=near_column(name, names))
        for name in needed
        if name not in names
    ]


def first_rows(rows: IntArray) -> str:
    """Return the numbers of the first offending rows, counted from 1; the others are counted."""
    return ", ".join(f"row {row + 1}" for row in rows[: RowChecks.NAMED_ROWS])


def near_column(name: str, names: Iterable[str]) -> Text:
    """Return a hint at the nearest column, or at all of them while they are few.

    >>> str(near_column("cost_off10", ["user_id", "cost__off10"]))
    'did you mean `cost__off10`?'
    """
    listed = list(names)
    # names less alike than this are no hint: `spend__a` is not meant by `cost__a`
    near = 0.75
    if match := get_close_matches(name, listed, n=1, cutoff=near):
        return say("did you mean `{name}`?", name=match[0])
    if len(listed) > RowChecks.NAMED_COLUMNS:
        return ""
    return say("it has: {names}", names=tuple(listed))


def counted(rows: int) -> Message:
    """Return a number of rows in words.

    >>> str(counted(1)), str(counted(2000))
    ('1 row', '2,000 rows')
    """
    return say("1 row") if rows == 1 else say("{rows:,} rows", rows=rows)


def as_id(user_id: Column) -> pa.Array:
    """Return checked ids as int64 or text; integers beyond int64 become text."""
    ids = whole(user_id)
    fits = pa.types.is_integer(ids.type) and pc.max(ids).as_py() <= np.iinfo(np.int64).max
    return ids.cast(pa.int64() if fits else pa.string())
