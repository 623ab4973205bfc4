"""One user's place among millions, in a compiled loop: hash, search, comparison."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from incentive_engine.data.hashing_kernel import hash_texts
from incentive_engine.jit import compiled

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]


@compiled
def find_row(  # noqa: PLR0917 - a compiled loop takes its arguments by position
    hashes: Words,
    rows: npt.NDArray[np.uint32],
    ends: npt.NDArray[np.int64],
    ids: Bytes,
    content: Bytes,
    state: Words,
) -> int:
    """Return the row of the user with an id, −1 for none.

    Parameters
    ----------
    hashes
        (n,) uint64, sorted, `data.hashing.hash_ids` of the ids.
    rows
        (n,) uint32, whose hash each is.
    ends
        (n + 1,) int64, where each row's id begins in `ids`, and the last one ends.
    content
        The id that is sought, UTF-8.
    state
        (4,) uint64, what `hashing.state_of` gives for the key.
    """
    hashed = np.empty(1, dtype=np.uint64)
    hash_texts(np.array([0, len(content)]), content, state, hashed)
    wanted = hashed[0]
    low, high = 0, len(hashes)
    while low < high:
        middle = (low + high) // 2
        if hashes[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    while low < len(hashes) and hashes[low] == wanted:
        row = rows[low]
        begin, size = ends[row], ends[row + 1] - ends[row]
        if size == len(content):
            same = True
            for at in range(size):
                if ids[begin + at] != content[at]:
                    same = False
                    break
            if same:
                return int(row)
        low += 1
    return -1
