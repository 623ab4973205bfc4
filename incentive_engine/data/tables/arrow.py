"""Arrow columns as numpy arrays and back, through their buffers.

Arrow's own conversions load pandas, which takes longer than planning for fifty thousand users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.domain import BoolArray, IntArray

Column: TypeAlias = "pa.ChunkedArray | pa.Array"
FloatColumn: TypeAlias = npt.NDArray[Any]
"""float32 or float64, as the file has it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Levels:
    """A column by its values.

    Attributes
    ----------
    code
        (n,) int32, place in `labels`, −1 where the value is missing.
    labels
        The values that occur, ascending.
    """

    code: npt.NDArray[np.int32]
    labels: tuple[Any, ...]


def is_number(kind: pa.DataType) -> bool:
    """Return whether a type holds numbers, or truth values, which are 0 and 1."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type holds text, dictionaries of text among them."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def whole(column: Column) -> pa.Array:
    """Return a column in one piece."""
    if isinstance(column, pa.Array):
        return column
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def numbers(column: Column) -> FloatColumn:
    """Return a column of numbers as (n,) float32 if that is its type, else float64.

    A missing value is NaN. Without any, floats share the column's memory and are read-only.
    """
    column = whole(column)
    if not pa.types.is_floating(column.type):
        column = column.cast(pa.float64(), safe=False)  # digits beyond a float's are rounded
    elif pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    values: FloatColumn = as_numpy(column)
    return np.where(_is_null(column), np.nan, values) if column.null_count else values


def as_numpy(array: pa.Array) -> npt.NDArray[Any]:
    """Return the memory of an array of numbers, (n,), read-only; what is missing is arbitrary."""
    # Arrow types whose values lie in memory as numpy's do
    numpy = {
        pa.from_numpy_dtype(kind): np.dtype(kind)
        for kind in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
    }
    kind, size = numpy[array.type], len(array)
    if not size:
        return np.empty(0, dtype=kind)
    start = array.offset * kind.itemsize
    return np.frombuffer(array.buffers()[1], dtype=kind, count=size, offset=start)


def is_missing(array: pa.Array) -> BoolArray:
    """Return (n,) bool, where an array is null, or NaN."""
    missing = _is_null(array)
    if pa.types.is_floating(array.type):
        missing |= np.isnan(as_numpy(array))
    return missing


def _is_null(array: pa.Array) -> BoolArray:
    valid = array.buffers()[0]
    if valid is None or not array.null_count:
        # a column of nothing has no bits to say so
        return np.full(len(array), pa.types.is_null(array.type))
    bits = np.unpackbits(np.frombuffer(valid, dtype=np.uint8), bitorder="little")
    return np.equal(bits[array.offset : array.offset + len(array)], 0)


def as_arrow(numbers: npt.NDArray[Any], missing: BoolArray | None = None) -> pa.Array:
    """Return an array of numbers that shares the memory of `numbers`."""
    valid = None
    if missing is not None and missing.any():
        valid = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    numbers = np.ascontiguousarray(numbers)
    kind = pa.from_numpy_dtype(numbers.dtype)
    return pa.Array.from_buffers(kind, len(numbers), [valid, pa.py_buffer(numbers)])


def text(values: Sequence[str]) -> pa.Array:
    """Return an array of texts."""
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(values), buffers)


def chosen_texts(place: npt.NDArray[Any], words: Sequence[str]) -> pa.Array:
    """Return n texts, the word at each place; none where it is negative."""
    codes = as_arrow(place, place < 0)
    return pa.DictionaryArray.from_arrays(codes, text(words)).cast(pa.string())


def text_buffers(array: pa.Array) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
    """Return (n + 1,) where texts begin and end, and all their bytes."""
    counts = np.dtype(np.int64 if pa.types.is_large_string(array.type) else np.int32)
    _, ends, content = array.buffers()
    start = array.offset * counts.itemsize
    places = np.frombuffer(ends, dtype=counts, count=len(array) + 1, offset=start)
    return places, np.frombuffer(content or b"", dtype=np.uint8)


def coded(column: Column) -> pa.Array:
    """Return an attribute: text by codes, and NaN as missing."""
    if is_text(column.type):
        return whole(pc.dictionary_encode(column.cast(pa.string())))
    column = whole(column)
    if pa.types.is_floating(column.type):
        values = numbers(column) + 0.0  # so that there is one zero
        return as_arrow(values, np.isnan(values))
    return column


def levels(column: Column) -> Levels:
    """Return a column by its values."""
    encoded = whole(column)
    if not pa.types.is_dictionary(encoded.type):
        encoded = whole(pc.dictionary_encode(encoded))
    order = pc.sort_indices(encoded.dictionary)
    place = np.empty(len(order) + 1, dtype=np.int32)
    place[as_numpy(order)] = np.arange(len(order))
    # a missing value has the code −1, which looks up the last place
    place[-1] = -1
    code = np.where(_is_null(encoded.indices), -1, as_numpy(encoded.indices))
    return Levels(code=place[code], labels=tuple(encoded.dictionary.take(order).to_pylist()))


def compact(codes: IntArray) -> IntArray:
    """Return codes that are at least 0 with those that do not occur left out, the order kept."""
    most = int(codes.max(initial=0)) + 1
    # codes below this are counted, not sorted, however few rows there are
    few = 1 << 16
    if most > max(len(codes), few):
        return np.unique(codes, return_inverse=True)[1]
    occurs = np.bincount(codes, minlength=most) > 0
    if occurs.all():
        return codes
    return (np.cumsum(occurs) - 1)[codes]


def equal(column: Column, value: object) -> BoolArray:
    """Return which rows have a value, (n,) bool; text is never equal to a number."""
    column = whole(column)
    if is_text(column.type) and isinstance(value, str):
        by_value = levels(column)
        code = by_value.labels.index(value) if value in by_value.labels else len(by_value.labels)
        return np.asarray(by_value.code == code, dtype=np.bool_)
    if is_number(column.type) and isinstance(value, bool | int | float):
        exact = pa.types.is_integer(column.type)
        same = (as_numpy(column) if exact else numbers(column)) == value
        return np.asarray(same & ~_is_null(column), dtype=np.bool_)
    return np.zeros(len(column), dtype=np.bool_)
