"""The few types that the engine reads, and how others become them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from incentive_engine.data.tables.arrow import is_number, is_text
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say


def plain_table(table: pa.Table, *, where: str, gaps: bool = True) -> pa.Table:
    """Return a table whose columns are text, numbers or times without a zone.

    Parameters
    ----------
    gaps
        Whether whole numbers with missing values become floats, as they do in one piece; blocks of
        one table keep the table's type.

    Raises
    ------
    DataError
        When a column holds lists or structures, or text is not UTF-8.
    """
    refuse_nested(table.schema, where=where)
    return plain_columns(table, where=where, gaps=gaps)


def plain_columns(table: pa.Table, *, where: str, gaps: bool) -> pa.Table:
    """Return a table as `plain_table` does, columns of lists and structures as they are."""
    for position, field in enumerate(table.schema):
        if not is_readable(field.type):
            continue
        column = table.column(position)
        kind = plain_type(field.type)
        if gaps and column.null_count and is_number(kind) and not pa.types.is_floating(kind):
            kind = pa.float64()
        if kind != field.type:
            cast = _cast(column, kind, name=field.name, where=where)
            table = table.set_column(position, field.name, cast)
    return table


def _cast(column: pa.ChunkedArray, kind: pa.DataType, *, name: str, where: str) -> pa.ChunkedArray:
    try:
        # digits beyond those of a float are no reason to refuse a number
        return column.cast(kind, safe=not pa.types.is_floating(kind))
    except pa.ArrowInvalid:
        # arrow quotes values in its message, and they are a customer's
        if is_text(kind):
            fault = Fault(
                where,
                say("column `{name}` is not UTF-8", name=name),
                "UTF-8",
                "write it anew as UTF-8",
            )
        else:
            what, remedy = (
                say("column `{name}` cannot be read as {kind}", name=name, kind=kind),
                "write it in another unit",
            )
            fault = Fault(where, what, "text, numbers or times", remedy)
        raise DataError(fault) from None


def refuse_nested(schema: pa.Schema, *, where: str) -> None:
    """Refuse columns that hold more than one value in a cell, or what nothing can be learned from.

    Raises
    ------
    DataError
        With all such columns and their types.
    """
    odd = [field for field in schema if not is_readable(field.type)]
    if odd:
        named = ", ".join(f"{field.name} ({field.type})" for field in odd)
        what = say("columns hold lists or structures: {named}", named=named)
        raise DataError(Fault(where, what, "one value per cell", "flatten or leave them out"))


def refuse_repeated(names: Sequence[str], *, where: str) -> None:
    """Refuse a table in which two columns have one name.

    Raises
    ------
    DataError
        With all such names.
    """
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        what = say("columns appear more than once: {twice}", twice=tuple(repeated))
        raise DataError(Fault(where, what, "each name once", "rename or drop one of each"))


def is_readable(kind: pa.DataType) -> bool:
    """Return whether a column of some type has one value per cell that the engine can take."""
    if pa.types.is_dictionary(kind):
        return is_readable(kind.value_type)
    return bool(
        is_number(kind)
        or is_text(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_temporal(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    ) and not pa.types.is_interval(kind)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that a column of some type is read as."""
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp(kind.unit)
    if pa.types.is_date(kind):
        return pa.timestamp("ms")
    if pa.types.is_duration(kind):
        return pa.int64()
    if pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return pa.float64()
    return kind if is_number(kind) or pa.types.is_large_string(kind) else pa.string()


def names_zone(kind: pa.DataType) -> bool:
    """Return whether the times of a type name their zone."""
    return bool(pa.types.is_timestamp(kind) and kind.tz)


def common_type(kinds: Sequence[pa.DataType]) -> pa.DataType | None:
    """Return the type that holds a column of several parts, None where the parts disagree.

    Whole numbers of any width fit together, and numbers with fractions take whole ones along;
    truth values, text and times fit only their own.

    >>> common_type([pa.int32(), pa.int64()]), common_type([pa.int64(), pa.string()])
    (DataType(int64), None)
    """
    distinct = list(
        dict.fromkeys(plain_type(kind) for kind in kinds if not pa.types.is_null(kind))
    )
    if len(distinct) < 2:
        return distinct[0] if distinct else pa.float64()
    if all(map(pa.types.is_integer, distinct)):
        return pa.uint64() if pa.uint64() in distinct else pa.int64()
    if all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in distinct):
        return pa.float64()
    if all(map(is_text, distinct)):
        return pa.large_string()
    if all(map(pa.types.is_timestamp, distinct)):
        return pa.timestamp("us")
    return None
