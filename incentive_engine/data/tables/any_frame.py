"""Tables that a program holds in memory: pandas, polars or Arrow."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

import pyarrow as pa

from incentive_engine.data.tables.types import plain_columns, refuse_nested, refuse_repeated
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say

if TYPE_CHECKING:
    import pandas as pd


def has_arrow_rows(frame: object) -> bool:
    """Whether a frame of another library gives its rows, without a copy where types allow it."""
    return hasattr(frame, "__arrow_c_stream__") or hasattr(frame, "__arrow_c_array__")


def has_no_rows_yet(frame: object) -> bool:
    """Whether a frame has to be asked for its rows."""
    # Polars, Dask, Ibis and Spark call it so
    return any(hasattr(frame, ask) for ask in ("collect", "compute", "execute", "toPandas"))


def names_in(frame: object, *, where: str) -> tuple[str, ...]:
    """Return the names of a frame's columns.

    Raises
    ------
    DataError
        When it is no frame, has no rows yet, or has two columns of one name.
    """
    _refuse_others(frame, where)
    names = tuple(map(str, _columns(frame)))
    refuse_repeated(names, where=where)
    return names


def arrow_table(frame: object, *, where: str, columns: Collection[str] | None = None) -> pa.Table:
    """Return a frame in memory as it would be read from a file; an index is left out.

    Parameters
    ----------
    where
        How messages call it.
    columns
        Only these are taken, in the frame's order; those that it lacks are left out.

    Raises
    ------
    DataError
        As `names_in`; when a column mixes types or holds lists, or there are no rows.
    """
    names = names_in(frame, where=where)
    wanted = [name for name in names if columns is None or name in columns]
    if _is_pandas(frame):
        table = _of_pandas(frame, wanted, where)
    else:
        whole = pa.table(frame)
        columns = {name: _without_views(whole.column(names.index(name))) for name in wanted}
        table = pa.table(columns)
    if table.num_rows == 0:
        raise DataError(Fault(where, "has no rows", "at least one row"))
    refuse_nested(table.schema, where=where)
    return plain_columns(table, where=where, gaps=True)


def _without_views(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column whose levels are no views, which Arrow cannot look up; polars makes such."""
    kind = column.type
    if not (pa.types.is_dictionary(kind) and pa.types.is_string_view(kind.value_type)):
        return column
    return pa.chunked_array(
        [
            pa.DictionaryArray.from_arrays(chunk.indices, chunk.dictionary.cast(pa.string()))
            for chunk in column.chunks
        ],
        type=pa.dictionary(kind.index_type, pa.string()),
    )


def pandas_frame(frame: object, *, where: str) -> pd.DataFrame:
    """Return a frame in memory as a pandas frame with types as they are read from files."""
    from incentive_engine.data.tables.frames import to_frame

    return to_frame(arrow_table(frame, where=where))


def _refuse_others(frame: object, where: str) -> None:
    if _is_pandas(frame) or has_arrow_rows(frame):
        return
    kind = f"{type(frame).__module__.partition('.')[0]}.{type(frame).__name__}"
    if has_no_rows_yet(frame):
        what, remedy = (
            say("is evaluated lazily ({kind})", kind=kind),
            "collect or compute it first",
        )
    else:
        what, remedy = (
            say("is no frame ({kind})", kind=kind),
            "make a frame with a column per name",
        )
    expected = "a frame of pandas, polars or Arrow"
    raise DataError(Fault(where, what, expected, remedy))


def _is_pandas(frame: object) -> bool:
    """Return whether something is a frame of pandas, which is not loaded for the question."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(frame, pandas.DataFrame)


def _columns(frame: object) -> Collection[object]:
    if _is_pandas(frame):
        columns: Collection[object] = list(frame.columns)  # type: ignore[attr-defined] # pandas, as was seen
        return columns
    schema = frame.schema if isinstance(frame, pa.Table) else None
    return list((schema or pa.table(frame).schema).names)


def _of_pandas(frame: object, wanted: list[str], where: str) -> pa.Table:
    """Return columns of a pandas frame; Arrow's own messages quote values, and are not shown."""
    columns, faults = {}, []
    for position, name in enumerate(map(str, frame.columns)):  # type: ignore[attr-defined] # pandas
        if name not in wanted:
            continue
        column = frame.iloc[:, position]  # type: ignore[attr-defined] # pandas
        try:
            columns[name] = pa.array(column, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
            kinds = sorted({type(value).__name__ for value in column.dropna()})
            what = say("column `{name}` mixes types: {kinds}", name=name, kinds=tuple(kinds))
            faults.append(Fault(where, what, "one type per column", "convert it first"))
    if faults:
        raise DataError(*faults)
    return pa.table(columns)
