"""Rows times a matrix, in an order of additions that does not depend on the number of rows."""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from incentive_engine.domain import FloatArray, Floats

LANES: Final = 64
"""Rows that are multiplied side by side."""


def row_products(rows: Floats, matrix: FloatArray) -> FloatArray:
    """Return (n, q) rows times a (q, k) matrix, (n, k), each row as if it stood alone.

    A library's product adds in another order for few rows than for many, and has another last
    bit: who is scored alone would differ from who is scored in a table.
    """
    width = -len(matrix) % 4
    out = np.empty((len(rows), matrix.shape[1]))
    _multiply(out, rows, np.ascontiguousarray(np.pad(matrix, ((0, width), (0, 0)))))
    return out


@numba.njit(cache=True, nogil=True)
def _multiply(out: FloatArray, rows: Floats, matrix: FloatArray) -> None:
    """Set (n, k) products of (n, q) rows; the matrix has rows of zeros to a multiple of four."""
    n, q = rows.shape
    width, k = matrix.shape
    values, sums = np.zeros((width, LANES)), np.empty(LANES)
    for start in range(0, n, LANES):
        count = min(LANES, n - start)
        for row in range(count):
            for at in range(q):
                values[at, row] = rows[start + row, at]
        for each in range(k):
            sums[:count] = 0.0
            for at in range(0, width, 4):
                a, b = matrix[at, each], matrix[at + 1, each]
                c, d = matrix[at + 2, each], matrix[at + 3, each]
                part = values[at : at + 4]
                for row in range(count):
                    first = a * part[0, row] + b * part[1, row]
                    last = c * part[2, row] + d * part[3, row]
                    sums[row] += first + last
            for row in range(count):
                out[start + row, each] = sums[row]
