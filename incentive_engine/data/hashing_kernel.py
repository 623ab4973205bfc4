"""The hashes of many texts, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from incentive_engine.jit import compiled

Words = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]
Ends = npt.NDArray[Any]


@compiled
def hash_texts(ends: Ends, content: Bytes, state: Words, hashed: Words) -> None:
    """Write the hashes of texts, each of which ends where the next begins.

    `state` is what `hashing.state_of` gives for a key.
    """
    word_size = 8  # bytes
    for place in range(len(hashed)):
        start, stop = ends[place], ends[place + 1]
        a, b, c, d = state[0], state[1], state[2], state[3]
        # in the loop itself: a function of one text would take half as long again
        for at in range(start, stop - word_size + 1, word_size):
            word = _word(content, at, word_size)
            a, b, c, d = _mixed_words(a, b, c, d ^ word, 2)
            a ^= word
        left = (stop - start) % word_size
        # the last word holds what is left, and the lowest byte of the size
        word = _word(content, stop - left, left) | np.uint64(stop - start) << np.uint64(56)
        a, b, c, d = _mixed_words(a, b, c, d ^ word, 2)
        a, b, c, d = _mixed_words(a ^ word, b, c ^ np.uint64(0xFF), d, 4)
        z = a ^ b ^ c ^ d
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        hashed[place] = z ^ z >> np.uint64(31)


@compiled
def _word(content: Bytes, start: int, size: int) -> np.uint64:
    """Return some bytes as a number, the first the lowest."""
    word = np.uint64(0)
    for at in range(size):
        word |= np.uint64(content[start + at]) << np.uint64(8 * at)
    return word


@compiled
def _mixed_words(
    a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64, rounds: int
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return four words after some SipRounds, as `_mixed` has them."""
    for _ in range(rounds):
        a, c = a + b, c + d
        b, d = _turned(b, 13) ^ a, _turned(d, 16) ^ c
        a, c = _turned(a, 32) + d, c + b
        d, b = _turned(d, 21) ^ a, _turned(b, 17) ^ c
        c = _turned(c, 32)
    return a, b, c, d


@compiled
def _turned(word: np.uint64, bits: int) -> np.uint64:
    """Return a word rotated to the left."""
    return word << np.uint64(bits) | word >> np.uint64(64 - bits)
