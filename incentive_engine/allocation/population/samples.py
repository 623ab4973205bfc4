"""Some of the users in place of all, drawn so that no cell goes unseen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from incentive_engine.allocation.params import PLAN, SolveParams
from incentive_engine.allocation.population import kernels
from incentive_engine.allocation.population.sweep import total_sizes
from incentive_engine.allocation.population.users import Users, in_parts
from incentive_engine.domain import FloatArray, IntArray

PER_CELL: Final = 20
"""Users of each cell in a sample, so that no limit goes unseen."""

SIZED: Final = 100_000
"""Users by whom the sizes of amounts are judged where there are many more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Some of the users.

    Attributes
    ----------
    size
        How many were asked for.
    users
        Who they are.
    weight
        (n_cells,) float64, how many users each stands for.
    sizes
        (m + 2, n_cells, k) float64, absolute amounts added over all pairs of everybody.
    """

    size: int
    users: Users
    weight: FloatArray
    sizes: FloatArray


def draw_samples(users: Users, params: SolveParams = PLAN) -> tuple[Sample, ...]:
    """Return ever larger samples, none of few users.

    All are drawn from the largest one, so that only that is looked for among all users.
    """
    sizes = sample_sizes(users.n, params)
    if not sizes:
        return ()
    counts = count_cells(users)
    index, weight = draw_sample(users, sizes[-1], counts=counts)
    largest = _sample(sizes[-1], users.take(index), weight)
    smaller = []
    for size in sizes[:-1]:
        index, weight = draw_sample(largest.users, size, counts=counts)
        smaller.append(_sample(size, largest.users.take(index), weight))
    return (*smaller, largest)


def _sample(size: int, few: Users, weight: FloatArray) -> Sample:
    return Sample(size=size, users=few, weight=weight, sizes=total_sizes(few, weight=weight))


def sample_sizes(n: int, params: SolveParams = PLAN) -> list[int]:
    """Return the sizes of the samples that come before all n users.

    >>> sample_sizes(1_000), sample_sizes(100_000)
    ([], [1000, 12000])
    """
    sizes = []
    size = params.first_sample
    while size * 3 <= n and size <= params.largest_sample:
        sizes.append(size)
        size *= params.sample_growth
    return sizes


def draw_sample(
    users: Users, size: int, *, counts: IntArray | None = None
) -> tuple[IntArray, FloatArray]:
    """Return users whose key is low in their cell, and how many users each stands for.

    Parameters
    ----------
    counts
        (n_cells,) int64, the sizes of the cells that `users`, a larger sample, was drawn from;
        None when they are everybody.

    Returns
    -------
    index
        (s,) int64.
    weight
        (n_cells,) float64.
    """
    counts = count_cells(users) if counts is None else counts
    share = np.maximum(size / max(counts.sum(), 1), PER_CELL / np.maximum(counts, 1))
    # 53 bits, because a float64 holds no more exactly
    below = (np.minimum(share, 1.0) * 2.0**53).astype(np.uint64)
    parts = in_parts(
        lambda start, stop, out: kernels.draw(users.cell, users.key, below, start, stop, out),
        n=users.n,
        make=lambda: np.empty(users.n + 1, dtype=np.int64),
    )
    index = np.concatenate([part[: part[-1]] for part in parts])
    drawn = np.bincount(users.cell[index], minlength=users.n_cells)
    weight = np.where(drawn > 0, counts / np.maximum(drawn, 1), 0.0)
    return index, weight


def count_cells(users: Users) -> IntArray:
    """Return (n_cells,) int64, how many users each cell has."""
    parts = in_parts(
        lambda start, stop, counts: kernels.count_cells(users.cell, start, stop, counts),
        n=users.n,
        make=lambda: np.zeros(users.n_cells, dtype=np.int64),
    )
    return np.asarray(sum(parts), dtype=np.int64)


def sizes_of(users: Users) -> FloatArray:
    """Return (m + 2, n_cells, k) float64, absolute amounts over all pairs, by a sample of many."""
    if users.n <= 2 * SIZED:
        return total_sizes(users)
    index, weight = draw_sample(users, SIZED)
    return total_sizes(users.take(index), weight=weight)
