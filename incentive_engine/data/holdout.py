"""Who never gets an offer, so that the increment can be measured afterwards."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from incentive_engine.domain import BoolArray, IntArray


def draw_holdout(
    user_id: pd.Series, strata: pd.DataFrame, *, share: float, seed: int
) -> BoolArray:
    """Draw the holdout: in each stratum, the share of its users with the lowest keyed hash.

    Parameters
    ----------
    user_id
        (n,) int64 or str, unique.
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
    text = user_id.astype("str").to_numpy(dtype=object)
    rank = pd.util.hash_array(text, hash_key=key, categorize=False)
    stratum = _codes(strata, n)
    order = np.lexsort((rank, stratum))
    sizes = np.bincount(stratum, minlength=1)
    quota = np.array([round(share * int(size)) for size in sizes])
    start = np.cumsum(sizes) - sizes
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n) - start[stratum[order]]
    return np.asarray(place < quota[stratum], dtype=np.bool_)


def _codes(strata: pd.DataFrame, n: int) -> IntArray:
    """Return a number per row, the same for rows that agree in every column."""
    codes = np.zeros(n, dtype=np.int64)
    for column in strata.columns:
        values, levels = pd.factorize(strata[column], use_na_sentinel=False)
        codes, _ = pd.factorize(codes * len(levels) + values)
    return codes
