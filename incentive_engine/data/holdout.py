"""Who never gets an offer, so that the increment can be measured afterwards."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

from incentive_engine.data.columns import Column, levels
from incentive_engine.data.hashing import hash_ids
from incentive_engine.domain import BoolArray, IntArray


def draw_holdout(user_id: Column, strata: pa.Table, *, share: float, seed: int) -> BoolArray:
    """Draw the holdout: in each stratum, the share of its users with the lowest keyed hash.

    Parameters
    ----------
    user_id
        n integers or texts, unique.
    strata
        n rows; each combination of values is a stratum, and a missing value is a value.
        Without columns, all users are one stratum.
    share
        From 0 to 1; a stratum of m users gives ``round(share * m)`` of them.
    seed
        Another seed draws another holdout.

    Returns
    -------
    (n,) bool. A user's place depends on nothing but the seed and the ids of the own stratum:
    neither on the order of rows nor on other strata.
    """
    n = len(user_id)
    key = hashlib.sha256(f"holdout {seed}".encode()).hexdigest()[:16]
    rank = hash_ids(user_id, key.encode())
    stratum = _codes(strata, n)
    order = np.lexsort((rank, stratum))
    sizes = np.bincount(stratum, minlength=1)
    quota = np.array([round(share * int(size)) for size in sizes])
    start = np.cumsum(sizes) - sizes
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n) - start[stratum[order]]
    return np.asarray(place < quota[stratum], dtype=np.bool_)


def _codes(strata: pa.Table, n: int) -> IntArray:
    """Return a number per row, the same for rows that agree in every column."""
    codes = np.zeros(n, dtype=np.int64)
    for name in strata.column_names:
        found = levels(strata.column(name))
        codes = codes * (len(found.labels) + 1) + found.code + 1
        codes = np.unique(codes, return_inverse=True)[1]
    return codes
