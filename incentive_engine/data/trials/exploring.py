"""Who explores: users who get an arm by lot, so that the next campaign knows more than this one.

Two keyed hashes draw them: one says who explores, another which arm. Both are a question about
one user alone once the cut-off of the first is known, so that a batch and a live decision agree.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from incentive_engine.data.hashing import Words, hash_ids
from incentive_engine.data.tables.arrow import Column, whole
from incentive_engine.domain import BoolArray, ChoiceArray, FloatArray, IntArray


def place_drawn(word: int, arms: int) -> int:
    """Return which of some arms a hash draws, from 0 on, as `arm_drawn` does for many."""
    return (word >> 32) * arms >> 32


def explorer_key(seed: int) -> bytes:
    """Return the key of the hash that ranks users for exploring."""
    return _key(f"explore {seed}")


def arm_key(seed: int) -> bytes:
    """Return the key of the hash that draws an explorer's arm."""
    return _key(f"explored arm {seed}")


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).hexdigest()[:16].encode()


def explorers_of(
    user_id: Column, holdout: BoolArray, *, share: float, seed: int
) -> tuple[IntArray, int]:
    """Return the rows of the users who explore, ascending, and the highest rank among them.

    Of m users outside the holdout ``round(share * m)`` explore, those with the lowest keyed hash;
    the rank is −1 where nobody does.

    Parameters
    ----------
    user_id
        n integers or texts, unique.
    holdout
        (n,) bool.
    share
        From 0 to 1.
    """
    free = np.flatnonzero(~holdout)
    quota = round(share * len(free))
    if not quota:
        return np.empty(0, dtype=np.int64), -1
    rank = hash_ids(whole(user_id).take(pa.array(free)), explorer_key(seed))
    highest = np.partition(rank, quota - 1)[quota - 1]
    return free[rank <= highest], int(highest)


def draw_arms(
    words: Words, eligible: BoolArray, *, with_control: bool
) -> tuple[npt.NDArray[np.int16], FloatArray]:
    """Return the arm that each explorer draws, and how likely it was.

    Parameters
    ----------
    words
        (e,) uint64, the hash of each explorer under `arm_key`.
    eligible
        (k, e) bool, the offers that each may get, in the canonical order, by name.
    with_control
        Whether getting nothing is an arm, the first one.

    Returns
    -------
    (e,) int16, canonical place of the offer, −1 for none; (e,) float64, one over the number of
    arms, 1 for who has no choice.
    """
    arms = eligible.sum(axis=0) + int(with_control)
    drawn = arm_drawn(words, arms) - int(with_control)
    before = np.cumsum(eligible, axis=0) - 1
    is_drawn = eligible & (before == drawn)
    choice = np.where(is_drawn.any(axis=0), is_drawn.argmax(axis=0), -1)
    return choice.astype(np.int16), 1.0 / np.maximum(arms, 1)


def explored_share(holdout: BoolArray, *, share: float | None) -> float:
    """Return which share of the users outside the holdout, (n,) bool, really explores."""
    free = int((~holdout).sum())
    return round((share or 0.0) * free) / max(free, 1)


def propensity_by_lot(
    choice: ChoiceArray,
    *,
    offers: IntArray,
    held: FloatArray,
    explored: float,
    with_control: bool,
) -> FloatArray:
    """Return how likely the arm of who is of the holdout or explores was, among all of these.

    Parameters
    ----------
    choice
        (r,) int16, the offer, −1 for control.
    offers
        (r,) int64, how many offers each could get.
    held
        (r,) float64, which share of the user's stratum is held out.
    explored
        Which share of the others explores.
    with_control
        Whether getting nothing is among the explorers' arms.

    Notes
    -----
    Of a stratum's users a share h is held out, and of the others a share e draws one of m arms.
    Among both together control has the probability (h + (1 − h)·e/m) / (h + (1 − h)·e), and each
    offer (1 − h)·e/m over the same.
    """
    arms = offers + int(with_control)
    by_lot = (1.0 - held) * explored * (arms >= 2)
    drawn = by_lot / np.maximum(arms, 1)
    got = np.where(choice < 0, held + drawn * with_control, drawn)
    return np.asarray(got / (held + by_lot))


def arm_drawn(words: Words, arms: IntArray) -> IntArray:
    """Return (e,) int64, which of so many arms each hash draws, from 0.

    >>> arm_drawn(np.array([0, 2**63, 2**64 - 1], dtype=np.uint64), np.array([3, 3, 3])).tolist()
    [0, 1, 2]
    """
    # by the upper half of a hash's bits: the shares of m arms differ by less than m / 2³².
    # multiplied and not divided: remainders of a division would favour small numbers
    upper = (words >> np.uint64(32)).astype(np.int64)
    return (upper * arms) >> 32
