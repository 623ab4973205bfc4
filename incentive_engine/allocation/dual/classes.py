"""Users of a core who are alike in everything, as one column of a program.

Where values and costs are rounded, thousands of users tie exactly, and a linear program with a
row for each of them is so degenerate that simplex steps hardly get anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.allocation.dual.core import Core
from incentive_engine.domain import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classes:
    """A partition of a core's users.

    Attributes
    ----------
    rank
        (p,) int64, the position of each pair's user among those who are alike.
    like
        (p,) int64, the pair of the class that each pair is a copy of.
    pair
        (q,) int64, the pairs of the first user of each class.
    group
        (q,) int64, sorted: the class of each of them.
    count
        (C,) float64, how many users each class has.
    """

    rank: IntArray
    like: IntArray
    pair: IntArray
    group: IntArray
    count: FloatArray

    def spread(self, taken: FloatArray) -> FloatArray:
        """Return (p,) how much of each pair is taken, so that few users are split.

        Parameters
        ----------
        taken
            (q,) float64, how many users of its class take each pair.

        Notes
        -----
        The users of a class stand in a row, each of length 1, and its pairs are laid along it.
        """
        ends = np.cumsum(taken)
        before = np.concatenate([[0.0], ends])[np.searchsorted(self.group, self.group)]
        starts = np.maximum(ends - taken - before, 0.0)
        end = np.minimum(starts[self.like] + taken[self.like], self.rank + 1.0)
        length = end - np.maximum(starts[self.like], self.rank)
        return np.asarray(np.clip(length, 0.0, 1.0), dtype=np.float64)


def classes_of(core: Core, measures: BoolArray) -> Classes:
    """Return the classes of users with the same cell, values and measures.

    Parameters
    ----------
    measures
        (m,) bool, which measures matter: those that a limit counts.
    """
    few = core.few
    amounts = few.columns[measures].reshape(int(measures.sum()) * few.k, few.n)
    content = np.vstack([few.cell[None, :], few.value, amounts], dtype=np.float64)
    rows = np.ascontiguousarray(content.T + 0.0)
    bytes_of = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    _, first, member, count = np.unique(
        bytes_of, return_index=True, return_inverse=True, return_counts=True
    )
    # np.unique sorts by bytes, which would make the program depend on the processor
    order = np.argsort(first)  # classes stand as their first users do
    member = np.argsort(order)[member]
    first, count = first[order], count[order]
    return _with_pairs(core, first, member, count.astype(np.float64))


def _with_pairs(core: Core, first: IntArray, member: IntArray, count: FloatArray) -> Classes:
    starts = np.searchsorted(core.user, np.arange(len(core.index)))
    by_class = np.argsort(member, kind="stable")
    rank = np.empty(len(member), dtype=np.int64)
    rank[by_class] = np.arange(len(member)) - np.repeat(
        np.cumsum(count).astype(np.int64) - count.astype(np.int64), count.astype(np.int64)
    )
    leader = np.zeros(len(member), dtype=bool)
    leader[first] = True
    pair = np.flatnonzero(leader[core.user])
    place = np.cumsum(leader[core.user]) - 1  # of the leaders' pairs among `pair`
    own = np.arange(len(core.user)) - starts[core.user]
    return Classes(
        rank=rank[core.user],
        like=place[starts[first[member[core.user]]] + own],
        pair=pair,
        group=member[core.user[pair]],
        count=count,
    )
