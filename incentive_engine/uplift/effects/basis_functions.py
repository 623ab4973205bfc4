"""Evaluating the smooth functions of features, block of rows by block of rows."""

# ruff: noqa: PLR0917 - numba takes no keyword-only arguments

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numba
import numpy as np

from incentive_engine.domain import BoolArray, FloatArray, IntArray, Matrix
from incentive_engine.parallel import in_blocks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Functions:
    """The functions of t columns, as flat arrays; those of one column stand together.

    In their order, a column has an indicator per code; the rank of its numbers among the knots,
    from -√3 to √3, and a bend; and an indicator of missing values.

    Attributes
    ----------
    column : (t,) int64
        What is looked at.
    codes, knots : float32
        Of all columns, one after the other; knots ascend.
    first_code, first_knot : (t + 1,) int64
        Where each column's begin, and the end.
    missing : (t,) bool
        Whether missing values have an indicator.
    curvature
        Factor of the bends.
    """

    column: IntArray
    codes: Matrix
    first_code: IntArray
    knots: Matrix
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

    def __call__(self, matrix: Matrix, centre: FloatArray, scale: float) -> Matrix:
        """Return ``(function - centre) / scale`` for (n, p) features and (q,) centres, (n, q)."""
        out = np.empty((len(matrix), len(centre)), np.float32)
        rows = np.ascontiguousarray(matrix)
        middle, unit = centre.astype(np.float32), np.float32(1 / scale)
        curvature = np.float32(self.curvature)

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
                curvature,
                middle,
                unit,
            )

        in_blocks(fill, len(matrix))
        return out


def _flat(parts: Sequence[Sequence[float]]) -> Matrix:
    return np.array([value for part in parts for value in part], dtype=np.float32)


def _starts(parts: Sequence[Sequence[float]]) -> IntArray:
    return np.cumsum([0, *map(len, parts)], dtype=np.int64)


@numba.njit(cache=True, nogil=True)
def _fill(
    out: Matrix,
    matrix: Matrix,
    column: IntArray,
    codes: Matrix,
    first_code: IntArray,
    knots: Matrix,
    first_knot: IntArray,
    missing: BoolArray,
    curvature: np.float32,
    centre: Matrix,
    unit: np.float32,
) -> None:
    n, q = out.shape
    zero, one = np.float32(0.0), np.float32(1.0)
    # rows at a time: what they fill of the result stays in the processor's memory
    block = 128
    # the column is copied once: `matrix` stands row by row
    values = np.zeros(block, np.float32)
    # a function at a time, as the processor likes it; then row by row, as the result stands
    # numbers between two functions, as of two columns in the forest
    functions = np.empty((q, block + 8), np.float32)
    for start in range(0, n, block):
        at, rows = 0, min(block, n - start)
        for term in range(len(column)):
            low, high = first_knot[term], first_knot[term + 1]
            for row in range(rows):
                values[row] = matrix[start + row, column[term]]
            for code in range(first_code[term], first_code[term + 1]):
                for row in range(rows):
                    functions[at, row] = one if values[row] == codes[code] else zero
                at += 1
            if high > low:
                _curve(functions[at], functions[at + 1], values, knots[low:high])
                for row in range(rows):
                    functions[at + 1, row] *= curvature
                at += 2
            if missing[term]:
                for row in range(rows):
                    functions[at, row] = one if np.isnan(values[row]) else zero
                at += 1
        _set_rows(out[start : start + rows], functions, centre, unit)


@numba.njit(cache=True, nogil=True)
def _set_rows(out: Matrix, functions: Matrix, centre: Matrix, unit: np.float32) -> None:
    for row in range(len(out)):
        for each in range(len(centre)):
            out[row, each] = (functions[each, row] - centre[each]) * unit


@numba.njit(cache=True, nogil=True)
def _curve(slope: Matrix, bend: Matrix, values: Matrix, knots: Matrix) -> None:
    """Set each value's rank from -√3 to √3, and its square less 1; both 0 where missing."""
    width, one = np.float32(np.sqrt(12.0)), np.float32(1.0)
    below = np.zeros(len(values), np.int32)
    for limit in knots:  # one knot after the other, for many values at once
        for row in range(len(values)):
            below[row] += np.int32(1) if limit < values[row] else np.int32(0)
    for row in range(len(values)):
        slope[row] = bend[row] = np.float32(0.0)
        if not np.isnan(values[row]):
            rank = _rank(values[row], below[row], knots)
            slope[row] = np.float32(rank - 0.5) * width
            bend[row] = slope[row] * slope[row] - one


@numba.njit(cache=True, nogil=True)
def _rank(value: np.float32, low: int, knots: Matrix) -> float:
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
