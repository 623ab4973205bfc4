"""Which users are nearest to changing their choice, ties by key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.population.kernels import pair_kernels
from incentive_engine.allocation.population.passes import in_parts
from incentive_engine.domain import IntArray


def nearest(distance: npt.NDArray[Any], key: npt.NDArray[np.uint64], size: int) -> IntArray:
    """Return the `size` users with the least distance, ties by key, sorted by key.

    Users without an alternative, whose distance is infinite, are left out.

    Parameters
    ----------
    distance
        (n,) float32 or float64, at least 0, and not −0.0, whose bits are those of a large number.
    """
    near = _within(distance, size)
    if size < len(near):
        cut = np.partition(distance[near], size - 1)[size - 1]
        tied = near[distance[near] == cut]
        near = near[distance[near] < cut]
        missing = size - len(near)
        if missing < len(tied):
            tied = tied[np.argpartition(key[tied], missing - 1)[:missing]]
        near = np.concatenate([near, tied])
    return np.asarray(near[np.argsort(key[near], kind="stable")], dtype=np.int64)


def lowest_keys(index: IntArray, key: npt.NDArray[np.uint64], size: int) -> IntArray:
    """Return those of some users with the `size` lowest keys, sorted by key."""
    if size < len(index):
        index = index[np.argpartition(key[index], size)[:size]]
    return index[np.argsort(key[index], kind="stable")]


def _within(distance: npt.NDArray[Any], size: int) -> IntArray:
    """Return users with finite distances: if there are, at least `size` of them, the nearest.

    The order of floats that are not negative is the order of their bits.
    """
    wide = distance.dtype == np.float64
    bits = distance.view(np.uint64 if wide else np.uint32)
    shift = 48 if wide else 16
    parts = in_parts(
        lambda start, stop, out: pair_kernels.count_leading(bits, shift, start, stop, out),
        n=len(bits),
        make=lambda: np.zeros(1 << 16, dtype=np.int64),
    )
    finite = int(distance.dtype.type(np.inf).view(bits.dtype)) >> shift
    counts = np.cumsum(sum(parts)[:finite])
    most = min(int(np.searchsorted(counts, size)), finite - 1)
    parts = in_parts(
        lambda start, stop, out: pair_kernels.find_leading(bits, shift, most, start, stop, out),
        n=len(bits),
        make=lambda: np.empty(counts[most] + 1, dtype=np.int64),
    )
    return listed(parts)


def listed(parts: Sequence[IntArray]) -> IntArray:
    """Return the users that loops wrote, each list with its length in its last place."""
    return np.concatenate([users[: users[-1]] for users in parts])
