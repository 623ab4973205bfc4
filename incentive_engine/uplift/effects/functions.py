"""Evaluating the smooth functions of features, block of rows by block of rows."""

# ruff: noqa: PLR0917 - numba takes no keyword-only arguments

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numba
import numpy as np
import numpy.typing as npt

from incentive_engine.domain import BoolArray, FloatArray, IntArray
from incentive_engine.parallel import in_blocks

BLOCK: Final = 128
"""Rows at a time: what they fill of the result stays in the processor's memory."""
APART: Final = BLOCK + 8
"""Numbers between two functions, as of two columns in the forest."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Functions:
    """The functions of t columns, as flat arrays; those of one column stand together.

    In their order, a column has an indicator per code; the rank of its numbers among the knots,
    from -√3 to √3, and a bend; and an indicator of missing values.

    Attributes
    ----------
    column : (t,) int64
        What is looked at.
    codes, knots : float64
        Of all columns, one after the other; knots ascend.
    first_code, first_knot : (t + 1,) int64
        Where each column's begin, and the end.
    missing : (t,) bool
        Whether missing values have an indicator.
    curvature
        Factor of the bends.
    """

    column: IntArray
    codes: FloatArray
    first_code: IntArray
    knots: FloatArray
    first_knot: IntArray
    missing: BoolArray
    curvature: float

    @classmethod
    def of(
        cls,
        *,
        column: Sequence[int],
        codes: Sequence[Sequence[float]],
        knots: Sequence[Sequence[float]],
        missing: Sequence[bool],
        curvature: float,
    ) -> Self:
        """Flatten what is given column by column."""
        return cls(
            column=np.array(column, dtype=np.int64),
            codes=_flat(codes),
            first_code=_starts(codes),
            knots=_flat(knots),
            first_knot=_starts(knots),
            missing=np.array(missing, dtype=np.bool_),
            curvature=curvature,
        )

    def __call__(
        self, matrix: npt.NDArray[np.float32], centre: FloatArray, scale: float
    ) -> FloatArray:
        """Return ``(function - centre) / scale`` for (n, p) features and (q,) centres, (n, q)."""
        out = np.empty((len(matrix), len(centre)))
        rows = np.ascontiguousarray(matrix)

        def fill(block: slice) -> None:
            _fill(
                out[block],
                rows[block],
                self.column,
                self.codes,
                self.first_code,
                self.knots,
                self.first_knot,
                self.missing,
                self.curvature,
                centre,
                scale,
            )

        in_blocks(fill, len(matrix))
        return out


def _flat(parts: Sequence[Sequence[float]]) -> FloatArray:
    return np.array([value for part in parts for value in part], dtype=np.float64)


def _starts(parts: Sequence[Sequence[float]]) -> IntArray:
    return np.cumsum([0, *map(len, parts)], dtype=np.int64)


@numba.njit(cache=True, nogil=True)
def _fill(
    out: FloatArray,
    matrix: npt.NDArray[np.float32],
    column: IntArray,
    codes: FloatArray,
    first_code: IntArray,
    knots: FloatArray,
    first_knot: IntArray,
    missing: BoolArray,
    curvature: float,
    centre: FloatArray,
    scale: float,
) -> None:
    n, q = out.shape
    values = np.zeros(BLOCK)
    # a function at a time, as the processor likes it; then row by row, as the result stands
    found = np.empty((q, APART))
    for start in range(0, n, BLOCK):
        at, rows = 0, min(BLOCK, n - start)
        for term in range(len(column)):
            low, high = first_knot[term], first_knot[term + 1]
            for row in range(rows):
                values[row] = matrix[start + row, column[term]]
            for code in range(first_code[term], first_code[term + 1]):
                for row in range(rows):
                    found[at, row] = 1.0 if values[row] == codes[code] else 0.0
                at += 1
            if high > low:
                _curve(found[at], found[at + 1], values, knots[low:high])
                for row in range(rows):
                    found[at + 1, row] *= curvature
                at += 2
            if missing[term]:
                for row in range(rows):
                    found[at, row] = 1.0 if np.isnan(values[row]) else 0.0
                at += 1
        _set_rows(out[start : start + rows], found, centre, scale)


@numba.njit(cache=True, nogil=True)
def _set_rows(out: FloatArray, found: FloatArray, centre: FloatArray, scale: float) -> None:
    for row in range(len(out)):
        for each in range(len(centre)):
            out[row, each] = (found[each, row] - centre[each]) / scale


@numba.njit(cache=True, nogil=True)
def _curve(slope: FloatArray, bend: FloatArray, values: FloatArray, knots: FloatArray) -> None:
    """Set each value's rank from -√3 to √3, and its square less 1; both 0 where missing."""
    below = np.zeros(len(values), dtype=np.int64)
    for limit in knots:  # one knot after the other, for many values at once
        for row in range(len(values)):
            below[row] += 1 if limit < values[row] else 0
    for row in range(len(values)):
        slope[row], bend[row] = 0.0, 0.0
        if not np.isnan(values[row]):
            slope[row] = (_rank(values[row], below[row], knots) - 0.5) * np.sqrt(12.0)
            bend[row] = slope[row] ** 2 - 1


@numba.njit(cache=True, nogil=True)
def _rank(value: float, low: int, knots: FloatArray) -> float:
    """Return the share of rows below a value, half of the ties counted; `low` knots are below."""
    last = len(knots) - 1
    if low > last:
        return 1.0
    if knots[low] == value:
        high = low
        while high < last and knots[high + 1] == value:
            high += 1
        return (low + high) / (2.0 * last)
    if low == 0:
        return 0.0
    below = knots[low - 1]
    return float((low - 1 + (value - below) / (knots[low] - below)) / last)
