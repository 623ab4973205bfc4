"""Event logs as they are read: batches of arrays, and counts of what was left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.config.history import Constant, EventLog, History
from incentive_engine.data.row_checks import counted
from incentive_engine.data.tables.arrow import (
    Column,
    as_arrow,
    as_numpy,
    is_missing,
    is_number,
    numbers,
    whole,
)
from incentive_engine.domain import BoolArray, IntArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.features.computing.kernel import NO_AMOUNT, EventArrays
from incentive_engine.features.logs.source import LogSource
from incentive_engine.features.logs.times import MISSING, micros_of
from incentive_engine.features.logs.vocabulary import Vocabulary, as_text, fits_int64
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventBatch:
    """Some events, in the order of their log.

    Attributes
    ----------
    user
        (n,) int64 or text, none missing.
    arrays
        The same events; `known` is empty where no log says when its rows arrived.
    """

    user: pa.Array
    arrays: EventArrays


@dataclass(slots=True, kw_only=True)
class LogCounts:
    """What a log holds, and what was left out of it.

    Attributes
    ----------
    rows
        All rows.
    without_user, without_time, own_campaign
        Rows that were left out.
    first, last
        The times of the first and the last event, microseconds; None without any.
    kinds
        The kinds that it holds.
    """

    where: str
    rows: int = 0
    without_user: int = 0
    without_time: int = 0
    own_campaign: int = 0
    first: int | None = None
    last: int | None = None
    kinds: list[str] = field(default_factory=list)

    def add_times(self, time: IntArray) -> None:
        """Extend the first and the last time to those of more events."""
        if len(time):
            first, last = int(time.min()), int(time.max())
            self.first = first if self.first is None else min(first, self.first)
            self.last = last if self.last is None else max(last, self.last)


def refuse_without_events(logs: Sequence[LogCounts]) -> None:
    """Refuse logs of which no row has a user and a time.

    Raises
    ------
    DataError
        When that is so of all of them together.
    """
    if all(own.first is None for own in logs):
        where = ", ".join(own.where for own in logs)
        raise DataError(Fault(where, "holds no event of any user", "a log that is not empty"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogReader:
    """Reads the logs of a policy.

    Attributes
    ----------
    sources
        The table of each log, in the policy's order.
    kinds, categories
        Filled while reading.
    """

    history: History
    sources: tuple[LogSource, ...]
    kinds: Vocabulary = field(default_factory=Vocabulary)
    categories: Vocabulary = field(default_factory=Vocabulary)

    @property
    def numeric_ids(self) -> bool:
        """Whether every log holds whole numbers as user ids; otherwise all ids are text."""
        return all(fits_int64(source.user_type) for source in self.sources)

    def batches(self, counts: list[LogCounts]) -> Iterator[EventBatch]:
        """Yield the events of all logs, and add what each log holds to `counts`."""
        numeric = self.numeric_ids
        for source in self.sources:
            own = LogCounts(where=source.where)
            met: set[int] = set()
            counts.append(own)
            for table in source.table.blocks(source.columns):
                batch = self._batch(table, source, own, numeric=numeric)
                met.update(np.unique(batch.arrays.kind).tolist())
                yield batch
            own.kinds = self._named(met)

    def look(self, source: LogSource, rows: int) -> tuple[LogCounts, bool]:
        """Return what so many rows of a log hold at most, and whether these are all its rows.

        Raises
        ------
        DataError
            When a column holds what it must not.
        """
        table, is_whole = source.table.sample(source.columns, rows)
        counts = LogCounts(where=source.where)
        batch = self._batch(table, source, counts, numeric=self.numeric_ids)
        counts.kinds = self._named(np.unique(batch.arrays.kind).tolist())
        return counts, is_whole

    def _named(self, codes: Iterable[int]) -> list[str]:
        values = self.kinds.values
        return [values[code] for code in sorted(codes) if code >= 0]

    def _batch(
        self, table: pa.Table, source: LogSource, counts: LogCounts, *, numeric: bool
    ) -> EventBatch:
        log = source.log
        table, user, time = self._located(table, source, counts, numeric=numeric)
        counts.add_times(time)
        size = table.num_rows
        if isinstance(log.kind, Constant):
            kind = np.full(size, self.kinds.code(log.kind.constant), dtype=np.int32)
        else:
            kind = self.kinds.encode(table.column(log.kind))
        category = np.full(size, -1, dtype=np.int32)
        if log.category is not None:
            category = self.categories.encode(table.column(log.category))
        amount = np.full(size, NO_AMOUNT, dtype=np.int64)
        if log.amount is not None:
            amount = amounts_of(table.column(log.amount), where=counts.where, name=log.amount)
        arrays = EventArrays(
            time=time,
            kind=kind,
            category=category,
            amount=amount,
            known=self._arrivals(table, source),
        )
        return EventBatch(user=user, arrays=arrays)

    def _located(
        self, table: pa.Table, source: LogSource, counts: LogCounts, *, numeric: bool
    ) -> tuple[pa.Table, pa.Array, IntArray]:
        """Return the rows that have a user and a time, with these."""
        user = _ids(table.column(source.user), numeric=numeric)
        time = self._times(table, source, source.log.time)
        nobody, never = _no_user(user), time == MISSING
        own = self._of_own_campaign(table, source.log)
        counts.rows += table.num_rows
        counts.without_user += int(nobody.sum())
        counts.without_time += int((never & ~nobody).sum())
        counts.own_campaign += int((own & ~never & ~nobody).sum())
        out = nobody | never | own
        if not out.any():
            return table, user, time
        stays = as_arrow(np.flatnonzero(~out))
        return table.take(stays), user.take(stays), time[~out]

    def _of_own_campaign(self, table: pa.Table, log: EventLog) -> BoolArray:
        if log.campaign is None or not self.history.own_campaigns:
            return np.zeros(table.num_rows, dtype=np.bool_)
        campaigns = as_text(table.column(log.campaign))
        is_own = pc.is_in(campaigns, value_set=pa.array(self.history.own_campaigns, pa.string()))
        return np.asarray(is_own.to_numpy(zero_copy_only=False), dtype=np.bool_)

    def _arrivals(self, table: pa.Table, source: LogSource) -> IntArray:
        """Return when rows arrived; where their log does not say it, long ago."""
        if all(log.known is None for log in self.history.logs):
            return np.empty(0, dtype=np.int64)
        if source.log.known is None:
            return np.full(table.num_rows, np.iinfo(np.int64).min)
        # where nobody knows when a row arrived, it is unseen: a missing time is the last there is
        return self._times(table, source, source.log.known)

    def _times(self, table: pa.Table, source: LogSource, name: str) -> IntArray:
        zone = source.zone(name, self.history.timezone)
        return micros_of(table.column(name), zone=zone, where=source.where, name=name)


def _ids(column: Column, *, numeric: bool) -> pa.Array:
    return whole(column).cast(pa.int64()) if numeric else as_text(column)


def _no_user(user: pa.Array) -> BoolArray:
    missing = is_missing(user)
    if pa.types.is_string(user.type):
        missing |= as_numpy(pc.binary_length(user)) == 0
    return missing


def amounts_of(column: Column, *, where: str, name: str) -> IntArray:
    """Return amounts in minor units, `NO_AMOUNT` where there is none.

    Raises
    ------
    DataError
        When the column is text, or an amount is no whole number, or too large.
    """
    column = whole(column)
    if pa.types.is_null(column.type):
        return np.full(len(column), NO_AMOUNT)
    decimal = pa.types.is_decimal(column.type)
    if not (is_number(column.type) or decimal) or pa.types.is_boolean(column.type):
        what = say("`{name}` is of type {type}, which is no number", name=name, type=column.type)
        raise DataError(Fault(where, what, "whole numbers of minor units, such as cents"))
    missing = is_missing(column)
    exact = pa.types.is_integer(column.type)
    values: npt.NDArray[Any] = as_numpy(column) if exact else numbers(column)
    values = np.where(missing, 0, values)
    fractions = values != np.floor(values)
    # minor units beyond which sums over a user's events might not fit into integers
    largest = 10**12
    large = np.abs(values.astype(np.float64)) > largest
    for wrong, what in (
        (fractions, say("`{name}` is no whole number", name=name)),
        (large, say("`{name}` is beyond {largest:,}", name=name, largest=largest)),
    ):
        if wrong.any():
            rows = counted(int(wrong.sum()))
            text = say("{what} in {counted}", what=what, counted=rows)
            expected = "whole numbers of minor units, such as cents"
            raise DataError(Fault(where, text, expected, "multiply and round it first"))
    return np.where(missing, NO_AMOUNT, values.astype(np.int64))
