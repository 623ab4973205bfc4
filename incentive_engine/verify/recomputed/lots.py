"""Who explores, and which arm the lot gave, drawn again from the policy's seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from incentive_engine.config.policy import Policy
from incentive_engine.data.hashing import Words, hash_ids
from incentive_engine.data.trials.exploring import arm_key, explorer_key
from incentive_engine.domain import BoolArray, FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lots:
    """The lots of all users.

    Attributes
    ----------
    drawn
        (n,) bool, whom the first lot chose; who may get one arm only does not explore yet.
    word
        (n,) uint64, what the second lot drew; 0 for the others.
    highest
        The last rank of the first lot, −1 where nobody explores.
    """

    drawn: BoolArray
    word: Words
    highest: int

    @classmethod
    def of(cls, user_id: pa.Array, holdout: BoolArray, policy: Policy) -> Lots:
        """Return the lots that a policy draws among users outside the holdout."""
        drawn, word = np.zeros(len(holdout), dtype=np.bool_), np.zeros(len(holdout), np.uint64)
        free = np.flatnonzero(~holdout)
        # a quota by rank, as of the holdout: the share is exact, and the order of rows does not
        # matter
        quota = round((policy.explore or 0.0) * len(free))
        if not quota:
            return cls(drawn=drawn, word=word, highest=-1)
        rank = hash_ids(user_id, explorer_key(policy.seed))[free]
        first = np.argsort(rank)[:quota]
        some = free[first]
        drawn[some] = True
        word[some] = hash_ids(user_id.take(pa.array(some)), arm_key(policy.seed))
        return cls(drawn=drawn, word=word, highest=int(rank[first[-1]]))


def arms_drawn(
    word: Words, eligible: Sequence[tuple[str, BoolArray]], *, with_control: bool
) -> tuple[npt.NDArray[np.int16], FloatArray]:
    """Return (b,) int16, the place in `eligible` that each word draws, −1 control, and how likely.

    Parameters
    ----------
    eligible
        Per offer of the policy its id and (b,) bool; arms are numbered by name, control first.
    """
    arms = np.full(len(word), int(with_control)) + sum(may.astype(np.int64) for _, may in eligible)
    half_word = 2**32
    # in Python integers: a word of 64 bits times an arm would wrap in numpy
    number = np.array(
        [int(w) // half_word * int(m) // half_word for w, m in zip(word, arms, strict=True)],
        dtype=np.int64,
    )
    place_of_next = np.full(len(word), int(with_control))
    place = np.full(len(word), -1, dtype=np.int16)
    for index in sorted(range(len(eligible)), key=lambda index: eligible[index][0]):
        may = eligible[index][1]
        place[may & (number == place_of_next)] = index
        place_of_next += may
    return place, 1.0 / np.maximum(arms, 1)
