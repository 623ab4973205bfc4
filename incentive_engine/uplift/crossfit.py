"""Folds: which rows a model may see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from incentive_engine.domain import BoolArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folds:
    """A partition of n rows.

    Attributes
    ----------
    label : (n,) int64
        The fold of each row, 0 to ``count - 1``.
    count
        How many folds there are.
    """

    label: IntArray
    count: int

    def __iter__(self) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield, for each fold, the rows outside it (to learn from) and the rows inside it."""
        for fold in range(self.count):
            yield self.outside(fold), self.inside(fold)

    def inside(self, fold: int) -> IntArray:
        """Return the positions of the rows of one fold, (n_fold,) int64."""
        return np.flatnonzero(self.label == fold)

    def outside(self, fold: int) -> IntArray:
        """Return the positions of the rows of all other folds."""
        return np.flatnonzero(self.label != fold)

    def holds(self, fold: int) -> BoolArray:
        """Return which rows stand in one fold, (n,) bool."""
        return np.asarray(self.label == fold)


def draw_folds(group: pd.Series, *, count: int, rng: np.random.Generator) -> Folds:
    """Deal groups of rows out to folds of nearly equal numbers of groups.

    Parameters
    ----------
    group
        (n,) rows of one group (one person) share a fold.
    count
        How many folds.
    rng
        Decides the order in which the groups are dealt.

    Examples
    --------
    >>> folds = draw_folds(pd.Series(list("aabb")), count=2, rng=np.random.default_rng(0))
    >>> bool(folds.label[0] == folds.label[1] != folds.label[2])
    True
    """
    codes, names = pd.factorize(group)
    dealt = rng.permutation(len(names)) % count
    return Folds(label=dealt[codes].astype(np.int64), count=count)
