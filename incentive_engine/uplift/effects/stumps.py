"""Sums of step functions, one per feature: what boosted stumps add up to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numba
import numpy as np

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.parallel import in_blocks
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.effects.bins import BLOCK, MISSING, Bins, Codes, encode
from incentive_engine.uplift.nuisance.boosting import Matrix


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stumps:
    """d additive functions of c of the features, one version per fold.

    Attributes
    ----------
    column : (c,) int64
        The features that the functions look at.
    bins
        Of these features; values between two edges that no stump splits at are one bin.
    value : (folds, c, BINS, d) float64
        What each bin adds, the last one where the feature is missing.
    average : (c, d) float64
        What each feature adds on average over the rows that were learned from.
    """

    column: IntArray
    bins: Bins
    value: FloatArray
    average: FloatArray

    @classmethod
    def of(cls, bins: Bins, value: FloatArray, count: FloatArray) -> Self:
        """Keep the features that matter.

        Parameters
        ----------
        bins
            Of all p features.
        value
            (folds, p, BINS, d).
        count
            (p, BINS) rows, for the averages.
        """
        steps = value != value[:, :, :1]
        column = np.flatnonzero(steps.any(axis=(0, 2, 3)))
        edges, parts = [], []
        for at in map(int, column):
            split = value[:, at]
            size = len(bins.of_column(at))
            kept = np.flatnonzero((split[:, 1 : size + 1] != split[:, :size]).any(axis=(0, 2)))
            edges.append(bins.of_column(at)[kept])
            part = np.zeros_like(split)
            part[:, : len(kept) + 1] = split[:, [*kept, size]]
            part[:, MISSING] = split[:, MISSING]
            parts.append(part)
        rows = count[column, :, None]
        average = (value.mean(axis=0)[column] * rows).sum(axis=1) / np.maximum(rows.sum(axis=1), 1)
        shape = (len(value), 0, *value.shape[2:])
        return cls(
            column=column,
            bins=Bins.from_edges(edges),
            value=np.stack(parts, axis=1) if parts else np.zeros(shape),
            average=average,
        )

    def predict(self, matrix: Matrix, *, folds: Folds | None) -> FloatArray:
        """Return the functions' values for (n, p) features, (n, d).

        Parameters
        ----------
        folds
            The folds of these very rows, so that each row is asked of the version that never saw
            it; None for rows that none has seen, which get the mean of all versions.
        """
        out = np.zeros((len(matrix), self.value.shape[-1]))
        value = self.value if folds is not None else self.value.mean(axis=0)[None]
        label = np.zeros(len(matrix), np.int64) if folds is None else folds.label
        rows = np.ascontiguousarray(matrix)

        def add(block: slice) -> None:
            codes = np.empty((len(self.column), block.stop - block.start), np.uint8)
            encode(codes, rows[block], self.column, self.bins.edge, self.bins.first)
            add_up(out[block], codes, label[block], value)

        in_blocks(add, len(matrix))
        return out

    def contributions(self, matrix: Matrix) -> FloatArray:
        """Return what p features add above their average for people of no fold, (n, p, d)."""
        out = np.zeros((*matrix.shape, self.value.shape[-1]))
        codes = np.empty((len(self.column), len(matrix)), np.uint8)
        encode(codes, np.ascontiguousarray(matrix), self.column, self.bins.edge, self.bins.first)
        mean = self.value.mean(axis=0)
        for at, column in enumerate(self.column):
            out[:, column] = mean[at, codes[at]] - self.average[at]
        return out

    def to_json(self) -> dict[str, Any]:
        """Return the content of the model file."""
        return {
            "column": self.column.tolist(),
            "edges": [self.bins.of_column(at).tolist() for at in range(len(self.column))],
            "value": self.value.tolist(),
            "average": self.average.tolist(),
            "shape": self.value.shape,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""
        folds, columns, bins, functions = content["shape"]
        return cls(
            column=np.array(content["column"], dtype=np.int64),
            bins=Bins.from_edges([np.array(each, dtype=np.float32) for each in content["edges"]]),
            value=np.array(content["value"]).reshape(folds, columns, bins, functions),
            average=np.array(content["average"]).reshape(columns, functions),
        )


@numba.njit(cache=True, nogil=True)
def add_up(out: FloatArray, codes: Codes, label: IntArray, value: FloatArray) -> None:
    """Add (versions, c, BINS, d) values of (c, n) bins to (n, d), by each row's version."""
    for start in range(0, len(out), BLOCK):
        for at in range(len(codes)):
            for row in range(start, min(start + BLOCK, len(out))):
                part = value[label[row], at, codes[at, row]]
                for each in range(out.shape[1]):
                    out[row, each] += part[each]
