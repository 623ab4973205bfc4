"""One user's place among millions, in a compiled loop: hash, search, comparison."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from incentive_engine.data.hashing import START
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
        (4,) uint64, what `state_of` gives for the key.
    """
    wanted = _hash(content, state)
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


def state_of(key: bytes) -> Words:
    """Return (4,) uint64, the state with which SipHash begins for a key of 16 bytes."""
    words = np.frombuffer(key, dtype="<u8")
    state: Words = np.array(START, dtype=np.uint64) ^ np.tile(words, 2)
    return state


@compiled
def _hash(content: Bytes, state: Words) -> np.uint64:
    """Return SipHash-2-4 and the finaliser of splitmix64, as `data.hashing.hash_id` has them."""
    a, b, c, d = state[0], state[1], state[2], state[3]
    eight, last = np.uint64(8), len(content) // 8
    for at in range(last + 1):
        word = np.uint64(0)
        for byte in range(at * 8, min(at * 8 + 8, len(content))):
            word |= np.uint64(content[byte]) << (np.uint64(byte - at * 8) * eight)
        if at == last:
            word |= np.uint64(len(content) & 0xFF) << np.uint64(56)
        a, b, c, d = _rounds(a, b, c, d ^ word, 2)
        a ^= word
    a, b, c, d = _rounds(a, b, c ^ np.uint64(0xFF), d, 4)
    z = a ^ b ^ c ^ d
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@compiled
def _rounds(
    a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64, rounds: int
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    for _ in range(rounds):
        a, c = a + b, c + d
        b, d = _turned(b, 13) ^ a, _turned(d, 16) ^ c
        a, c = _turned(a, 32), c + b
        a = a + d
        b, d = _turned(b, 17) ^ c, _turned(d, 21) ^ a
        c = _turned(c, 32)
    return a, b, c, d


@compiled
def _turned(word: np.uint64, bits: int) -> np.uint64:
    return (word << np.uint64(bits)) | (word >> np.uint64(64 - bits))
