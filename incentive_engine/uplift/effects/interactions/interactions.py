"""Interactions: products of what two features do, which no sum over features can say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Self

import numba
import numpy as np

from incentive_engine.domain import FloatArray, Floats, IntArray
from incentive_engine.parallel import in_blocks
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.effects.row_products import row_products


def products(phi: Floats, main: FloatArray) -> FloatArray:
    """Return the products of every two of m functions, (n, m (m - 1) / 2).

    Parameters
    ----------
    phi
        (n, q) basis functions.
    main
        (m, q) coefficients of the m functions.
    """
    values = phi @ main.T
    first, second = partners(len(main))
    return np.asarray(values[:, first] * values[:, second])


@numba.njit(cache=True, nogil=True)
def _add_products(
    out: FloatArray,
    values: FloatArray,
    label: IntArray,
    centre: FloatArray,
    coefficient: FloatArray,
) -> None:
    """Add to (n, k) effects what products of (n, folds, m) values say.

    By the version of each row's fold, ``label`` (n,); by the mean of all where it is empty.
    """
    n, count, mains = values.shape
    share = 1.0 if len(label) else 1.0 / count
    for row in range(n):
        for fold in range(count):
            if len(label) and label[row] != fold:
                continue
            at = 0
            for first in range(mains):
                for second in range(first + 1, mains):
                    value = values[row, fold, first] * values[row, fold, second]
                    value = share * (value - centre[fold, at])
                    for each in range(out.shape[1]):
                        out[row, each] += value * coefficient[fold, each, at]
                    at += 1


def partners(mains: int) -> tuple[IntArray, IntArray]:
    """Return which functions each product is made of, two arrays (m (m - 1) / 2,)."""
    both = np.array(list(combinations(range(mains), 2)), dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairProducts:
    """What P = m (m - 1) / 2 products of m features' functions add to k effects, per fold.

    Attributes
    ----------
    column : (folds, m) int64
        The features.
    main : (folds, m, q) float64
        Their functions, as coefficients of the basis functions.
    centre : (folds, P) float64
        The products' averages over the trial, which are subtracted.
    coefficient : (folds, k, P) float64
        Effect of each product.
    """

    column: IntArray
    main: FloatArray
    centre: FloatArray
    coefficient: FloatArray

    def predict(self, phi: Floats, *, folds: Folds | None) -> FloatArray:
        """Return what the products add, (n, k), by (n, q) basis functions.

        For the folds' own rows by the version of the row's fold, otherwise by the mean of all.
        """
        count, mains, functions = self.main.shape
        every = self.main.reshape(count * mains, functions).T
        out = np.zeros((len(phi), self.coefficient.shape[1]))
        none = np.full(0, -1, dtype=np.int64)

        def add(block: slice) -> None:
            rows = phi[block]
            values = rows @ every if folds is not None else row_products(rows, every)
            values = values.reshape(len(rows), count, mains)
            label = none if folds is None else folds.label[block]
            _add_products(out[block], values, label, self.centre, self.coefficient)

        in_blocks(add, len(phi))
        return out

    def contributions(self, phi: Floats, features: int) -> FloatArray:
        """Return what each feature adds for people of no fold, (n, k, features).

        Half of a product is each of its features'.
        """
        count, k, _ = self.coefficient.shape
        out = np.zeros((len(phi), k, features))
        for fold in range(count):
            values = products(phi, self.main[fold]) - self.centre[fold]
            sides = partners(len(self.column[fold]))
            for at, both in enumerate(zip(*sides, strict=True)):
                half = 0.5 / count * values[:, at, None] * self.coefficient[fold, :, at]
                for each in both:
                    out[:, :, self.column[fold, each]] += half
        return out

    def to_json(self) -> dict[str, Any]:
        """Return the content of the model file."""
        return {
            "column": self.column.tolist(),
            "main": self.main.tolist(),
            "centre": self.centre.tolist(),
            "coefficient": self.coefficient.tolist(),
            "shape": (*self.main.shape, self.coefficient.shape[1]),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""
        folds, mains, functions, offers = content["shape"]
        return cls(
            column=np.array(content["column"], dtype=np.int64).reshape(folds, mains),
            main=np.array(content["main"], dtype=np.float64).reshape(folds, mains, functions),
            centre=np.array(content["centre"], dtype=np.float64).reshape(folds, -1),
            coefficient=np.array(content["coefficient"], dtype=np.float64).reshape(
                folds, offers, -1
            ),
        )
