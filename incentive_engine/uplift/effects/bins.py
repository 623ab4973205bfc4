"""Features in at most 64 bins each, so that sums over rows become sums over bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numba
import numpy as np
import numpy.typing as npt

from incentive_engine.domain import IntArray
from incentive_engine.parallel import in_blocks, side_by_side
from incentive_engine.uplift.nuisance.boosting import Matrix
from incentive_engine.uplift.systematic_sample import evenly

BINS: Final = 64
"""Of one feature; the last one is that of missing values."""
MISSING: Final = BINS - 1
SAMPLE: Final = 200_000
"""Rows that bins and knots are chosen from, at most: more would hardly move a quantile."""
BLOCK: Final = 512
"""Rows at a time: their column stays in the processor's nearest memory."""

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bins:
    """Upper edges of the bins of p features.

    Attributes
    ----------
    edge : float32
        Of all features, one after the other, ascending; a value stands in the bin of the first
        edge that is not below it, and beyond the last edge in one more bin.
    first : (p + 1,) int64
        Where each feature's edges begin, and the end.
    """

    edge: npt.NDArray[np.float32]
    first: IntArray

    @classmethod
    def of(cls, matrix: Matrix) -> Self:
        """Choose bins of about equally many rows, or one per value where values are few."""
        rows = evenly(len(matrix), SAMPLE)
        edges = side_by_side(lambda at: _edges(matrix[rows, at]), matrix.shape[1])
        return cls.from_edges(edges)

    @classmethod
    def from_edges(cls, edges: list[npt.NDArray[np.float32]]) -> Self:
        """Put the edges of p features one after the other."""
        first = np.cumsum([0, *map(len, edges)], dtype=np.int64)
        return cls(edge=np.concatenate([np.zeros(0, np.float32), *edges]), first=first)

    def of_column(self, at: int) -> npt.NDArray[np.float32]:
        """Return one feature's edges."""
        return self.edge[self.first[at] : self.first[at + 1]]

    def codes(self, matrix: Matrix) -> Codes:
        """Return the bin of each value of (n, p) features, (p, n) uint8."""
        out = np.empty(matrix.shape[::-1], np.uint8)
        rows = np.ascontiguousarray(matrix)
        every = np.arange(matrix.shape[1])
        in_blocks(
            lambda block: encode(out[:, block], rows[block], every, self.edge, self.first),
            len(matrix),
        )
        return out


def _edges(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    present = np.sort(values[~np.isnan(values)])
    if not len(present):
        return present
    distinct = np.flatnonzero(np.concatenate([[True], present[1:] > present[:-1]]))
    if len(distinct) <= MISSING:
        return np.asarray(present[distinct[:-1]])
    places = np.linspace(0, len(present), MISSING + 1)[1:-1].astype(np.int64)
    return np.asarray(np.unique(present[places]))


@numba.njit(cache=True, nogil=True)
def encode(
    out: Codes,
    matrix: Matrix,
    column: IntArray,
    edge: npt.NDArray[np.float32],
    first: IntArray,
) -> None:
    """Set the bins (c, n) of c columns of (n, p) features."""
    n = len(matrix)
    value, below = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.int32)
    for start in range(0, n, BLOCK):
        rows = min(BLOCK, n - start)
        for at in range(len(column)):
            for row in range(rows):
                value[row] = matrix[start + row, column[at]]
            below[:] = 0
            for limit in edge[first[at] : first[at + 1]]:
                for row in range(BLOCK):
                    below[row] += 1 if limit < value[row] else 0
            for row in range(rows):
                missing = np.isnan(value[row])
                out[at, start + row] = MISSING if missing else below[row]
