"""A run's users, some rows at a time: what was decided for them, and their scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from incentive_engine.data.tables.arrow import Column, as_numpy, is_missing, numbers, whole
from incentive_engine.data.tables.types import plain_table
from incentive_engine.domain import FloatArray, IntArray, Reason
from incentive_engine.language import say
from incentive_engine.run.format import RunFile, allocation_columns, parts_of


class UnreadableError(Exception):
    """A file of the run that cannot be used; the message says which and why."""


BLOCK: Final = 1 << 17
"""Rows that are looked at together; what is held of a run does not grow with its columns."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Rows of a run.

    Attributes
    ----------
    rows
        Where they stand among all users.
    choice
        (b,) int16, index of the offer in the policy's order, -1 none, -2 unknown to the policy.
    conversion, spend, cost, weight, propensity
        (b,) float64 as stated; spend is NaN where it is not.
    cost_micros
        (b,) int64 as stated.
    reason
        (b,) int16, index in `domain.Reason`, -1 for an unknown one.
    margin, smallest_budget
        (b,) float64 as stated, NaN where it is not.
    scores
        Column of the score table to (b,) float64, NaN where it is missing.
    """

    rows: slice
    choice: npt.NDArray[np.int16]
    conversion: FloatArray
    spend: FloatArray
    cost: FloatArray
    weight: FloatArray
    propensity: FloatArray
    cost_micros: IntArray
    reason: npt.NDArray[np.int16]
    margin: FloatArray
    smallest_budget: FloatArray
    scores: Mapping[str, FloatArray]


def open_parquet(path: Path, *, codes: Sequence[str] = ()) -> pq.ParquetFile:
    """Return a Parquet file to read from.

    Parameters
    ----------
    codes
        Columns that come as dictionaries.

    Raises
    ------
    UnreadableError
        When it is none.
    """
    try:
        # with pre_buffer, row groups that were read stay in memory
        return pq.ParquetFile(path, read_dictionary=list(codes), pre_buffer=False)
    except (OSError, pa.ArrowException) as error:
        raise UnreadableError(
            say("{name} cannot be read: {error}", name=path.name, error=error)
        ) from error


def read_columns(path: Path, columns: Sequence[str], *, codes: Sequence[str] = ()) -> pa.Table:
    """Return some columns of all rows.

    Raises
    ------
    UnreadableError
        When they cannot be read.
    """
    files = [open_parquet(file_of_part, codes=codes) for file_of_part in parts_of(path)]
    try:
        return pa.concat_tables([file.read(columns=list(columns)) for file in files])
    except (OSError, pa.ArrowException) as error:
        raise UnreadableError(
            say("{name} cannot be read: {error}", name=path.name, error=error)
        ) from error


def slices(
    path: Path,
    columns: Sequence[str],
    *,
    codes: Sequence[str] = (),
    rows: slice | None = None,
) -> Iterator[pa.Table]:
    """Yield some columns, `BLOCK` rows at a time whatever the file's row groups.

    Parameters
    ----------
    rows
        Which rows; None for all.

    Raises
    ------
    UnreadableError
        When they cannot be read.
    """
    waiting: list[pa.Table] = []
    try:
        for table in _batches(path, columns, codes, rows):
            waiting.append(table)
            if sum(map(len, waiting)) >= BLOCK:
                whole_table = pa.concat_tables(waiting)
                yield whole_table.slice(0, BLOCK)
                waiting = [whole_table.slice(BLOCK)]
        if sum(map(len, waiting)):
            yield pa.concat_tables(waiting)
    except (OSError, pa.ArrowException) as error:
        raise UnreadableError(
            say("{name} cannot be read: {error}", name=path.name, error=error)
        ) from error


def _batches(
    path: Path, columns: Sequence[str], codes: Sequence[str], rows: slice | None
) -> Iterator[pa.Table]:
    """Yield some columns of some rows as they lie in a table's parts."""
    start = 0
    for file_of_part in parts_of(path):
        file = open_parquet(file_of_part, codes=codes)
        size = file.metadata.num_rows
        own = None
        if rows is not None:
            own = slice(max(rows.start - start, 0), min(rows.stop - start, size))
        start += size
        if own is not None and own.start >= own.stop:
            continue
        groups, before, left = _groups_of(file, own)
        for batch in file.iter_batches(BLOCK, row_groups=groups, columns=list(columns)):
            table = pa.Table.from_batches([batch]).slice(before, left)
            before, left = max(0, before - len(batch)), left - len(table)
            yield table


def _groups_of(file: pq.ParquetFile, rows: slice | None) -> tuple[list[int], int, int]:
    """Return the row groups that hold some rows, the rows of these before, and how many count."""
    sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    if rows is None:
        return list(range(len(sizes))), 0, sum(sizes)
    ends = np.cumsum(sizes, dtype=np.int64)
    first = int(np.searchsorted(ends, rows.start, side="right"))
    last = int(np.searchsorted(ends, rows.stop, side="left"))
    before = rows.start - int(ends[first - 1] if first else 0)
    return list(range(first, min(last + 1, len(sizes)))), before, rows.stop - rows.start


def blocks(
    directory: Path,
    offers: tuple[str, ...],
    scores: Sequence[str],
    *,
    rows: slice | None = None,
) -> Iterator[Block]:
    """Yield a run's rows; those of `rows` count from its first one.

    Parameters
    ----------
    offers
        The policy's, in its order.
    scores
        The columns of the score table that are looked at.
    """
    columns = allocation_columns()
    stated = [name for name in columns if name != "user_id"]
    filled = sorted(name for name in stated if not columns[name].may_be_empty)
    start = 0
    for decided, scored in zip(
        slices(directory / RunFile.ALLOCATION, stated, codes=("offer_id", "reason"), rows=rows),
        slices(directory / RunFile.SCORES, scores, rows=rows),
        strict=True,
    ):
        for name in filled:
            if decided.column(name).null_count:
                raise UnreadableError(
                    say("allocation.parquet: column {name} has empty cells", name=name)
                )
        yield _block(decided, scored, offers, start)
        start += len(decided)


def _block(decided: pa.Table, known: pa.Table, offers: tuple[str, ...], start: int) -> Block:
    choice = _places(decided["offer_id"], offers)
    # no offer and an unknown one are both without a place, and only one is honest
    none = is_missing(whole(decided["offer_id"]))
    names = ("conversion", "spend", "cost", "weight", "propensity", "margin", "smallest_budget")
    floats = {name: _floats(decided[name]) for name in names}
    return Block(
        rows=slice(start, start + len(decided)),
        choice=np.where(none, np.int16(-1), np.where(choice < 0, np.int16(-2), choice)),
        cost_micros=as_numpy(whole(decided["cost_micros"])),
        reason=_places(decided["reason"], tuple(Reason)),
        scores={name: _floats(known[name]) for name in known.column_names},
        **floats,
    )


def _floats(column: Column) -> FloatArray:
    return np.asarray(numbers(plain_table(pa.table({"": column}), where="")[""]), dtype=np.float64)


def _places(column: Column, names: Sequence[Any]) -> npt.NDArray[np.int16]:
    """Return (b,) the place of each text among `names`, -1 for others and for none."""
    if pa.types.is_null(column.type):
        return np.full(len(column), -1, dtype=np.int16)
    coded = whole(column)
    values = [str(value) for value in coded.dictionary.to_pylist()]
    place = np.array([names.index(v) if v in names else -1 for v in values] + [-1], np.int16)
    codes = np.where(is_missing(coded), -1, as_numpy(coded.indices))
    return place[codes]
