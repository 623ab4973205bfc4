"""Some of the users in place of all, drawn so that no cell goes unseen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.allocation.params import PLAN, SolveParams
from incentive_engine.allocation.population.population import Population, Users
from incentive_engine.domain import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UserSample:
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


def draw_samples(users: Population, params: SolveParams = PLAN) -> tuple[UserSample, ...]:
    """Return ever larger samples, none of few users.

    All are drawn from the largest one, so that only that is looked for among all users.
    """
    sizes = sample_sizes(users.n, params)
    if not sizes:
        return ()
    counts = users.cell_counts()
    largest = _sample(sizes[-1], *draw_sample(users, sizes[-1], counts=counts))
    smaller = [
        _sample(size, *draw_sample(largest.users, size, counts=counts)) for size in sizes[:-1]
    ]
    return (*smaller, largest)


def _sample(size: int, few: Users, weight: FloatArray) -> UserSample:
    return UserSample(size=size, users=few, weight=weight, sizes=few.sizes(weight=weight))


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
    users: Population, size: int, *, counts: IntArray | None = None
) -> tuple[Users, FloatArray]:
    """Return users whose key is low in their cell, and how many users each stands for.

    Parameters
    ----------
    counts
        (n_cells,) int64, the sizes of the cells that `users`, a larger sample, was drawn from;
        None when they are everybody.

    Returns
    -------
    few
        The users.
    weight
        (n_cells,) float64.
    """
    counts = users.cell_counts() if counts is None else counts
    # 20: users of each cell in a sample, so that no limit goes unseen
    share = np.maximum(size / max(counts.sum(), 1), 20 / np.maximum(counts, 1))
    # 53 bits, because a float64 holds no more exactly
    few = users.drawn((np.minimum(share, 1.0) * 2.0**53).astype(np.uint64))
    drawn = np.bincount(few.cell, minlength=users.n_cells)
    return few, np.where(drawn > 0, counts / np.maximum(drawn, 1), 0.0)


def sizes_of(users: Population) -> FloatArray:
    """Return (m + 2, n_cells, k) float64, absolute amounts over all pairs, by a sample of many."""
    # users by whom the sizes of amounts are judged where there are many more
    sized = 100_000
    if users.n <= 2 * sized:
        return users.sizes()
    few, weight = draw_sample(users, sized)
    return few.sizes(weight=weight)
