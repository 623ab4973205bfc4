"""Rows to look at where all of them would tell no more."""

from __future__ import annotations

import numpy as np

from incentive_engine.domain import IntArray


def evenly(rows: int, most: int) -> IntArray:
    """Return evenly spread places among so many rows, at most `most` of them, in their order.

    >>> evenly(10, 4).tolist(), evenly(3, 4).tolist()
    ([0, 3, 6, 9], [0, 1, 2])
    """
    return np.linspace(0, rows - 1, min(rows, most)).astype(np.int64)


def quantile_rows(rows: int) -> IntArray:
    """Return the places of which quantiles are taken: more rows would hardly move them."""
    return evenly(rows, 200_000)
