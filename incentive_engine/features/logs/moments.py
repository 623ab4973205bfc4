"""The rows of users and trial, each with the moment before which its history counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from incentive_engine.config.history import is_dated
from incentive_engine.data.row_checks import counted, missing_columns, near_column
from incentive_engine.data.sources.source import Source
from incentive_engine.data.tables.arrow import whole
from incentive_engine.domain import USER_ID, IntArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.features.logs.times import (
    MISSING,
    as_timestamps,
    micros_of,
    micros_of_moment,
)
from incentive_engine.features.logs.vocabulary import as_text, fits_int64
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MomentRows:
    """The rows of a table.

    Attributes
    ----------
    user
        (n,) int64 or text, in the order of the table.
    moment
        (n,) int64, microseconds since 1970, UTC.
    column
        The table's column of moments; None where the policy names one time.
    """

    user: pa.Array
    moment: IntArray
    column: str | None

    @property
    def span(self) -> tuple[int, int]:
        """The earliest and the latest moment."""
        return int(self.moment.min()), int(self.moment.max())


def read_rows(
    source: Source, moment: str, *, zone: str, key: str, at_most: int | None = None
) -> MomentRows:
    """Return the rows of a table.

    Parameters
    ----------
    moment
        What the policy says: a time, or the column that holds it.
    zone
        Of times that name none.
    key
        Where the policy says it, for messages.
    at_most
        So many of the rows, None for all.

    Raises
    ------
    DataError
        When a column is missing, holds no times, or a row has no moment.
    """
    column = None if is_dated(moment) else moment
    faults = missing_columns([USER_ID], source.columns, where=source.where)
    if column is not None and column not in source.columns:
        what = say("column `{column}`, which `{name}` names, is missing", column=column, name=key)
        hint = near_column(column, source.columns)
        faults.append(Fault(source.where, what, "a time, or a column of times", hint))
    if faults:
        raise DataError(*faults)
    names = [USER_ID, *([column] if column else [])]
    read = source.table(names) if at_most is None else source.sample(names, at_most)[0]
    user = whole(read.column(USER_ID))
    user = user.cast(pa.int64()) if fits_int64(user.type) else as_text(user)
    if column is None:
        single = np.full(len(user), micros_of_moment(moment, zone=zone), dtype=np.int64)
        return MomentRows(user=user, moment=single, column=None)
    zone = "UTC" if column in source.zoned() else zone
    micros = micros_of(read.column(column), zone=zone, where=source.where, name=column)
    if (missing := micros == MISSING).any():
        what = say(
            "`{column}` is missing in {counted}",
            column=column,
            counted=counted(int(missing.sum())),
        )
        raise DataError(Fault(source.where, what, "the moment of each row", "fill it"))
    return MomentRows(user=user, moment=micros, column=column)


def moment_column(rows: MomentRows) -> pa.Array:
    """Return the moments as times of UTC."""
    return as_timestamps(rows.moment)
