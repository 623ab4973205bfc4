"""Boosting stumps from sums over bins, for all folds at once and without going back to the rows.

A stump on one feature changes the gradients of all others only through how many rows, by weight,
share a bin of the one and a bin of the other. These sums are taken once per fold and feature that
is split at all; those of the rows outside a fold are the difference to the sums of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numba
import numpy as np

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.parallel import side_by_side
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.effects.bins import BINS, MISSING, Codes
from incentive_engine.uplift.effects.stumps import add_up

ROWS: Final = 1 << 14
"""Rows at a time: their weights stay in the processor's memory while features take turns."""
MOST_BYTES: Final = 1 << 29
"""What tables of shared bins may take; beyond it, the oldest make room and are counted again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """How far boosted stumps may adapt."""

    stumps: int
    rate: float
    """Share of a leaf's value that a stump adds."""
    rows_per_leaf: int
    l2: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Binned:
    """Binned rows, fold by fold.

    Attributes
    ----------
    codes : (p, n) uint8
        The rows' bins.
    order : (n,) int64
        Where each of them stands in the trial.
    first : (folds + 1,) int64
        Where each fold begins, and the end.
    count : (folds, p, BINS) float64
        Rows per bin.
    """

    codes: Codes
    order: IntArray
    first: IntArray
    count: FloatArray

    @classmethod
    def of(cls, codes: Codes, folds: Folds) -> Binned:
        """Sort (p, n) bins by fold."""
        order = np.argsort(folds.label, kind="stable")
        first = np.searchsorted(folds.label[order], np.arange(folds.count + 1))
        parts = side_by_side(lambda at: codes[at, order], len(codes))
        ordered = np.stack(parts) if parts else codes
        count = _per_fold(ordered, np.ones(len(order)), first)
        return cls(codes=ordered, order=order, first=first, count=count)

    def outside(self, fold: int) -> list[slice]:
        """Return the rows outside a fold."""
        return [slice(0, self.first[fold]), slice(self.first[fold + 1], len(self.order))]

    def predict(self, value: FloatArray) -> FloatArray:
        """Return what each fold's (folds, p, BINS) values add up to on all rows, (folds, n)."""
        version = np.zeros(len(self.order), np.int64)

        def of_fold(fold: int) -> FloatArray:
            out = np.zeros((len(self.order), 1))
            add_up(out, self.codes, version, value[fold][None, ..., None])
            return out[:, 0]

        return np.stack(side_by_side(of_fold, len(value)))


def boost(
    binned: Binned, *, label: FloatArray, weight: FloatArray, strength: Strength
) -> FloatArray:
    """Return the sum of stumps that squared error picks outside each fold, (folds, p, BINS).

    Parameters
    ----------
    label
        (folds, n) what to predict outside each fold, in the order of the binned rows.
    weight
        (n,) ≥ 0.

    Notes
    -----
    A leaf with weighted residuals S and weight H adds ``rate · S / (H + l2)``; of all splits with
    enough rows on both sides, missing values on either, the one with the largest
    ``Σ S² / (H + l2)`` over its leaves is made, if it exceeds that of no split. Where a feature
    was never missing, a missing value counts as the average.
    """
    folds, p = len(label), len(binned.codes)
    mass = _outside(_per_fold(binned.codes, weight, binned.first))
    count = _outside(binned.count)
    pull = np.stack(side_by_side(lambda fold: _pull(binned, fold, label[fold], weight), folds))
    shared = _Shared(binned, weight)
    value = np.zeros((folds, p, BINS))
    growing = list(range(folds))
    for _ in range(strength.stumps):
        splits = {
            fold: best_split(
                pull[fold], mass[fold], count[fold], strength.l2, strength.rows_per_leaf
            )
            for fold in growing
        }
        growing = [fold for fold in growing if splits[fold][0] >= 0]
        for fold in growing:
            column, edge, missing_left, left, right = splits[fold]
            leaf = np.full(BINS, strength.rate * right)
            leaf[: edge + 1] = strength.rate * left
            leaf[MISSING] = strength.rate * (left if missing_left else right)
            value[fold, column] += leaf
            pull[fold] -= np.tensordot(leaf, shared.outside(fold, column), axes=1)
    rows = np.maximum(count.sum(axis=2), 1)
    usual = (value * count).sum(axis=2) / rows
    value[:, :, MISSING] = np.where(count[:, :, MISSING] > 0, value[:, :, MISSING], usual)
    return value


def _outside(inside: FloatArray) -> FloatArray:
    """Return sums outside each fold from those inside, (folds, …)."""
    return np.asarray(inside.sum(axis=0) - inside)


def _per_fold(codes: Codes, weight: FloatArray, first: IntArray) -> FloatArray:
    """Return the weight in each bin, (folds, p, BINS)."""

    def of_fold(fold: int) -> FloatArray:
        rows = slice(first[fold], first[fold + 1])
        return np.asarray(_histogram(codes[:, rows], weight[rows]))

    return np.stack(side_by_side(of_fold, len(first) - 1))


def _pull(binned: Binned, fold: int, label: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the weighted labels in each bin outside a fold, (p, BINS)."""
    parts = [
        _histogram(binned.codes[:, rows], weight[rows] * label[rows])
        for rows in binned.outside(fold)
    ]
    return np.asarray(parts[0] + parts[1])


class _Shared:
    """The weight of rows that share a bin of one feature and a bin of another."""

    def __init__(self, binned: Binned, weight: FloatArray) -> None:
        self._binned, self._weight = binned, weight
        self._tables: dict[int, FloatArray] = {}

    def outside(self, fold: int, column: int) -> FloatArray:
        """Return the sums outside a fold, (BINS of the column, p, BINS)."""
        if column not in self._tables:
            table = self._count(column)
            if (len(self._tables) + 1) * table.nbytes > MOST_BYTES and self._tables:
                del self._tables[next(iter(self._tables))]
            self._tables[column] = table
        return np.asarray(self._tables[column][fold])

    def _count(self, column: int) -> FloatArray:
        binned = self._binned
        p = len(binned.codes)
        out = np.zeros((len(binned.first) - 1, BINS, p, BINS))
        halves = (slice(0, p // 2), slice(p // 2, p))

        def count(half: int) -> None:
            others = binned.codes[halves[half]]
            part = out[:, :, halves[half]]
            share_bins(part, binned.codes[column], others, self._weight, binned.first)

        side_by_side(count, len(halves))
        return _outside(out)


@numba.njit(cache=True, nogil=True)
def _histogram(codes: Codes, weight: FloatArray) -> FloatArray:
    """Return the weight in each bin, (p, BINS)."""
    out = np.zeros((len(codes), BINS))
    for start in range(0, len(weight), ROWS):
        for at in range(len(codes)):
            for row in range(start, min(start + ROWS, len(weight))):
                out[at, codes[at, row]] += weight[row]
    return out


@numba.njit(cache=True, nogil=True)
def share_bins(
    out: FloatArray, mine: Codes, others: Codes, weight: FloatArray, first: IntArray
) -> None:
    """Set the weight that one feature's bins share with others', (folds, BINS, others, BINS)."""
    table = np.zeros((len(others), BINS, BINS))
    for fold in range(len(first) - 1):
        table[:] = 0.0
        for start in range(first[fold], first[fold + 1], ROWS):
            end = min(start + ROWS, first[fold + 1])
            for at in range(len(others)):
                for row in range(start, end):
                    table[at, mine[row], others[at, row]] += weight[row]
        for bin_ in range(BINS):
            for at in range(len(others)):
                out[fold, bin_, at] = table[at, bin_]


@numba.njit(cache=True, nogil=True)
def best_split(
    pull: FloatArray, mass: FloatArray, count: FloatArray, l2: float, fewest: int
) -> tuple[int, int, bool, float, float]:
    """Return the best split: feature, last bin on the left, whether missing is left, leaf values.

    The feature is -1 where no split helps. Sums are (p, BINS).
    """
    best, found = 0.0, (-1, 0, False, 0.0, 0.0)
    for column in range(len(pull)):
        every, rows, all_mass = pull[column].sum(), count[column].sum(), mass[column].sum()
        unsplit = every**2 / (all_mass + l2)
        for missing_left in (True, False):
            s = pull[column, MISSING] if missing_left else 0.0
            h = mass[column, MISSING] if missing_left else 0.0
            n = count[column, MISSING] if missing_left else 0.0
            for edge in range(MISSING - 1):
                s += pull[column, edge]
                h += mass[column, edge]
                n += count[column, edge]
                if n < fewest or rows - n < fewest:
                    continue
                left, right = s / (h + l2), (every - s) / (all_mass - h + l2)
                gain = s * left + (every - s) * right - unsplit
                if gain > best:
                    best, found = gain, (column, edge, missing_left, left, right)
    return found
