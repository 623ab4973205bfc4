"""Who never gets an offer, so that the increment can be measured afterwards."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from incentive_engine.data.hashing import Words, hash_ids
from incentive_engine.data.tables.arrow import Column, compact, levels, whole
from incentive_engine.domain import BoolArray, FloatArray, IntArray


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
    rank = hash_ids(user_id, holdout_key(seed))
    stratum = strata_codes(strata, len(rank))
    sizes = np.bincount(stratum, minlength=1)
    quota = np.array([round(share * int(size)) for size in sizes])
    near = _candidates(rank, stratum, quota, share)
    order = near[np.lexsort((rank[near], stratum[near]))]
    candidates = np.bincount(stratum[order], minlength=len(sizes))
    place = np.arange(len(order)) - np.repeat(np.cumsum(candidates) - candidates, candidates)
    drawn = np.zeros(len(rank), dtype=np.bool_)
    drawn[order[place < np.repeat(quota, candidates)]] = True
    return drawn


def holdout_key(seed: int) -> bytes:
    """Return the key of the hash that ranks users for the holdout of a seed."""
    return hashlib.sha256(f"holdout {seed}".encode()).hexdigest()[:16].encode()


class HoldoutStratum(NamedTuple):
    """What is drawn of one stratum: its values, the highest rank of it, and which share."""

    name: tuple[str | None, ...]
    highest: int
    share: float


def holdout_cutoffs(
    user_id: Column, strata: pa.Table, drawn: BoolArray, *, seed: int
) -> list[HoldoutStratum]:
    """Return what is drawn of each stratum; None stands for a missing value in its name.

    So the holdout of a whole population is a question about each user alone: whether the own
    rank is at most that of the own stratum. The rank is −1 where nobody of a stratum was drawn.

    Parameters
    ----------
    user_id, strata, seed
        As of `draw_holdout`.
    drawn
        (n,) bool, what it gave.
    """
    stratum = strata_codes(strata, len(drawn))
    held_rows = np.flatnonzero(drawn)
    rank = hash_ids(whole(user_id).take(pa.array(held_rows)), holdout_key(seed))
    highest = np.zeros(int(stratum.max(initial=0)) + 1, dtype=np.uint64)
    np.maximum.at(highest, stratum[held_rows], rank)
    counts = np.bincount(stratum[held_rows], minlength=len(highest))
    shares = counts / np.maximum(np.bincount(stratum, minlength=len(highest)), 1)
    codes, first = np.unique(stratum, return_index=True)
    values = [
        strata.column(name).take(pa.array(first)).to_pylist() for name in strata.column_names
    ]
    return [
        HoldoutStratum(
            name=tuple(None if column[row] is None else str(column[row]) for column in values),
            highest=int(highest[code]) if counts[code] else -1,
            share=float(shares[code]),
        )
        for row, code in enumerate(codes.tolist())
    ]


def held_shares(strata: pa.Table, drawn: BoolArray) -> FloatArray:
    """Return (n,) float64, which share of each user's stratum is held out.

    Parameters
    ----------
    strata, drawn
        As of `holdout_cutoffs`.
    """
    if not drawn.any():
        return np.broadcast_to(np.float64(0.0), len(drawn))  # takes no memory
    stratum = strata_codes(strata, len(drawn))
    sizes = np.bincount(stratum)
    return np.asarray((np.bincount(stratum[drawn], minlength=len(sizes)) / sizes)[stratum])


def _candidates(rank: Words, stratum: IntArray, quota: IntArray, share: float) -> IntArray:
    """Return users of low rank: in each stratum, at least as many as are drawn.

    Among many users a rank little above the share is enough, so that few need to be sorted.
    """
    # so many times the share of users are sorted; a stratum with an unlikely draw sorts all
    wider = 1.25
    # the largest float below 2**64, beyond which a word begins anew at 0
    most = min(share * wider, 1.0) * (2**64 - 2**11)
    near = np.flatnonzero(rank <= np.uint64(most))
    enough = np.bincount(stratum[near], minlength=len(quota)) >= quota
    return near if enough.all() else np.arange(len(rank))


def strata_codes(strata: pa.Table, n: int) -> IntArray:
    """Return a number per row, the same for rows that agree in every column."""
    codes = np.zeros(n, dtype=np.int64)
    for name in strata.column_names:
        values = levels(strata.column(name))
        codes *= len(values.labels) + 1
        codes += values.code
        # made small after each column: a product over many columns would pass 64 bits
        codes = compact(codes + 1)
    return codes
