"""Kinds and categories of a log as small integers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.config.fields import Scalar
from incentive_engine.data.tables.arrow import Column, as_numpy, is_missing, is_text, whole
from incentive_engine.features.computing.kernel import Codes


@dataclass(slots=True)
class Vocabulary:
    """Values that were met, each with a code: the first one is 0."""

    codes: dict[str, int] = field(default_factory=dict)

    @property
    def values(self) -> tuple[str, ...]:
        """The values in the order of their codes."""
        return tuple(self.codes)

    def code(self, value: str) -> int:
        """Return a value's code, a new one where it was not met before."""
        return self.codes.setdefault(value, len(self.codes))

    def encode(self, column: Column) -> Codes:
        """Return the code of each row, (n,) int32, −1 where it is missing or empty text."""
        column = as_text(column)
        encoded = whole(pc.dictionary_encode(column))
        own = [self.code(value) if value else -1 for value in encoded.dictionary.to_pylist()]
        place = np.array([*own, -1], dtype=np.int32)
        missing = is_missing(encoded.indices)
        return place[np.where(missing, len(own), as_numpy(encoded.indices))]


def as_text(column: Column) -> pa.Array:
    """Return values as text; whole numbers without a point."""
    column = whole(column)
    if is_text(column.type):
        return column.cast(pa.string())
    if pa.types.is_floating(column.type):
        values = column.to_numpy(zero_copy_only=False)
        # what is infinite, or has more digits than a whole number of 64 bits, stays as it is
        is_whole = (values == np.floor(values)) & (np.abs(values) < 2.0**63)
        if np.all(np.isnan(values) | is_whole):
            column = pc.cast(pc.if_else(pc.is_nan(column), None, column), pa.int64())
    return column.cast(pa.string())


def fits_int64(kind: pa.DataType) -> bool:
    """Return whether every whole number of a type is one of 64 bits with a sign.

    Ids of other types are text: a number and its digits are the same user everywhere.

    >>> fits_int64(pa.uint32()), fits_int64(pa.uint64())
    (True, False)
    """
    return bool(pa.types.is_integer(kind) and not pa.types.is_uint64(kind))


def category_text(value: Scalar) -> str:
    """Return a category of a policy as the log's categories are written.

    >>> category_text("food"), category_text(7)
    ('food', '7')
    """
    return str(value).lower() if isinstance(value, bool) else str(value)
