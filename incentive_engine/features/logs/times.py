"""Points in time of tables and policies, as whole microseconds of UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.config.schedule.durations import SECOND
from incentive_engine.data.row_checks import counted, first_rows
from incentive_engine.data.tables.arrow import Column, as_numpy, is_missing, is_text, whole
from incentive_engine.domain import BoolArray, IntArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import Text, say

MISSING: Final = np.iinfo(np.int64).max
"""Stands where a time is missing."""


def names_zone(column: pa.Array) -> BoolArray:
    """Return which texts of times end with a zone."""
    zone = r"[T ]\d{2}:\d{2}.*(Z|[+-]\d{2}(:?\d{2})?)\s*$"
    return _mask(pc.match_substring_regex(column, zone))


def micros_of(column: Column, *, zone: str, where: str, name: str) -> IntArray:
    """Return the times of a column, (n,) int64, `MISSING` where there is none.

    Finer parts than microseconds are cut off. Of a local time that came twice, when clocks were
    set back, the earlier one is meant; one that was skipped is the moment of the skip.

    Parameters
    ----------
    zone
        Of times that name none.

    Raises
    ------
    DataError
        When the column holds something else than times; with how many rows, and the first.
    """
    column = whole(column)
    if is_text(column.type):
        return _of_text(column.cast(pa.string()), zone=zone, where=where, name=name)
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    if pa.types.is_null(column.type):
        return np.full(len(column), MISSING)
    if not pa.types.is_timestamp(column.type):
        what = say("`{name}` is of type {type}, which is no time", name=name, type=column.type)
        raise _no_times(where, what, "numbers say neither their unit nor zone")
    return _of_timestamps(column, zone)


def micros_of_moment(text: str, *, zone: str) -> int:
    """Return a point in time of a policy, which has been checked.

    >>> micros_of_moment("1970-01-01 08:00", zone="Asia/Shanghai")
    0
    """
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=ZoneInfo(zone)) if moment.tzinfo is None else moment
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def is_without_zone(moment: str) -> bool:
    """Return whether what a policy names as a moment is a time that names no zone.

    >>> is_without_zone("2026-11-10 20:00"), is_without_zone("2026-11-10T12:00Z")
    (True, False)
    """
    try:
        return datetime.fromisoformat(moment).tzinfo is None
    except ValueError:
        return False


def as_timestamps(micros: IntArray) -> pa.Array:
    """Return microseconds as times of UTC."""
    return pa.array(micros, pa.int64()).cast(pa.timestamp("us", "UTC"))


def _of_timestamps(column: pa.Array, zone: str) -> IntArray:
    missing = is_missing(column)
    if not column.type.tz and zone != "UTC":
        column = pc.assume_timezone(column, zone, ambiguous="earliest", nonexistent="latest")
    values: npt.NDArray[np.int64] = as_numpy(column.cast(pa.int64()))
    per_second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[column.type.unit]
    scaled = values * (SECOND // per_second) if per_second <= SECOND else values // 1_000
    return np.where(missing, MISSING, scaled)


def _of_text(column: pa.Array, *, zone: str, where: str, name: str) -> IntArray:
    missing = is_missing(column)
    clock = r"[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|[+-]\d{2}(:?\d{2})?)?"
    written = _mask(
        pc.match_substring_regex(column, rf"^\s*\d{{4}}-\d{{2}}-\d{{2}}({clock})?\s*$")
    )
    zoned = names_zone(column) & written
    trimmed = pc.replace_substring_regex(pc.utf8_trim_whitespace(column), r"(\.\d{6})\d+", r"\1")
    micros = np.full(len(column), MISSING)
    stray = ~written & ~missing
    for rows, kind in (
        (np.flatnonzero(zoned), pa.timestamp("us", "UTC")),
        (np.flatnonzero(written & ~zoned), pa.timestamp("us")),
    ):
        if not len(rows):
            continue
        some = trimmed.take(pa.array(rows))
        try:
            micros[rows] = _of_timestamps(some.cast(kind), zone)
        except pa.ArrowInvalid:
            stray[rows] |= [not _is_time(text) for text in some.to_pylist()]
    if stray.any():
        first = first_rows(np.flatnonzero(stray))
        what = say(
            "`{name}` is no time in {counted} ({first})",
            name=name,
            counted=counted(int(stray.sum())),
            first=first,
        )
        raise _no_times(where, what)
    return micros


def _no_times(where: str, what: Text, remedy: Text = "") -> DataError:
    expected = "times such as 2026-11-10 20:00 or 2026-11-10T12:00:00Z"
    return DataError(Fault(where, what, expected, remedy))


def _mask(found: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.fill_null(found, fill_value=False).to_numpy(zero_copy_only=False))


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
