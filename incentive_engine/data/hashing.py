"""A keyed hash of ids: no id tells its own rank, and another key ranks anew.

References
----------
J.-P. Aumasson and D. J. Bernstein, SipHash: a fast short-input PRF, 2012, section 2.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from incentive_engine.data.tables.arrow import Column, as_numpy, text_buffers, whole
from incentive_engine.domain import BoolArray

Words = npt.NDArray[np.uint64]

BLOCK: Final = 1 << 13
"""Ids that are hashed together: their state stays in the second-level cache."""
WORD: Final = 8
"""Bytes of a word."""
MASK: Final = 2**64 - 1
START: Final = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def hash_ids(ids: Column, key: bytes) -> Words:
    """Return SipHash-2-4 of each id, spread by the finaliser of splitmix64, (n,) uint64.

    These are the numbers of `pandas.util.hash_array` for texts.

    Parameters
    ----------
    ids
        n integers or texts without missing ones; an integer counts as its decimal digits.
    key
        16 bytes.
    """
    column = whole(ids)
    number = pa.types.is_integer(column.type)
    hashed = np.empty(len(column), dtype=np.uint64)
    for start in range(0, len(hashed), BLOCK):
        some = column.slice(start, BLOCK)
        ends, content = text_buffers(some.cast(pa.string()) if number else some)
        inside = ends.astype(np.int64)
        # a word more, so that the last id, too, can be read as whole words
        padded = np.zeros(inside[-1] - inside[0] + WORD, dtype=np.uint8)
        padded[:-WORD] = content[inside[0] : inside[-1]]
        hashed[start : start + BLOCK] = _hashed(inside - inside[0], padded, key)
    return hashed


def hash_id(user_id: int | str, key: bytes) -> int:
    """Return the hash of one id, as `hash_ids` has it, in a few microseconds.

    >>> hash_id("u7", bytes(16)) == int(hash_ids(pa.array(["u7"]), bytes(16))[0])
    True
    """
    content = str(user_id).encode()
    k = int.from_bytes(key[:WORD], "little"), int.from_bytes(key[WORD:], "little")
    a, b, c, d = (start ^ k[place % 2] for place, start in enumerate(START))
    last = len(content) // WORD
    ending = (len(content) & 0xFF) << 56 | int.from_bytes(content[last * WORD :], "little")
    for at in range(last + 1):
        word = (
            ending
            if at == last
            else int.from_bytes(content[at * WORD : at * WORD + WORD], "little")
        )
        a, b, c, d = _mixed(a, b, c, d ^ word, rounds=2)
        a ^= word
    a, b, c, d = _mixed(a, b, c ^ 0xFF, d, rounds=4)
    z = a ^ b ^ c ^ d
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
    return z ^ z >> 31


def _mixed(a: int, b: int, c: int, d: int, *, rounds: int) -> tuple[int, int, int, int]:
    """Return four words after some SipRounds, as `_mix` has them."""
    for _ in range(rounds):
        a, c = (a + b) & MASK, (c + d) & MASK
        b, d = (b << 13 | b >> 51) & MASK ^ a, (d << 16 | d >> 48) & MASK ^ c
        a, c = (a << 32 | a >> 32) & MASK, (c + b) & MASK
        a = (a + d) & MASK
        b, d = (b << 17 | b >> 47) & MASK ^ c, (d << 21 | d >> 43) & MASK ^ a
        c = (c << 32 | c >> 32) & MASK
    return a, b, c, d


def repeated(ids: Column) -> BoolArray:
    """Return which ids stand in an earlier row too, (n,) bool.

    Parameters
    ----------
    ids
        n integers or texts without missing ones.

    Notes
    -----
    Numbers are sorted, texts by their hashes; only rows whose number or hash occurs twice are
    compared as they are, so that no more than a sorted copy of the numbers is held.
    """
    column = whole(ids)
    plain = pa.types.is_integer(column.type)
    # the key of the hash that repeated texts are found by; what it is decides nothing
    number: npt.NDArray[Any] = as_numpy(column) if plain else hash_ids(column, b"repeated user_id")
    ordered = np.sort(number)
    shared = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    twice = np.zeros(len(number), dtype=np.bool_)
    if len(shared):
        earlier: set[Any] = set()
        for row in np.flatnonzero(np.isin(number, shared)).tolist():
            own = column[row].as_py()
            twice[row] = own in earlier
            earlier.add(own)
    return twice


def _hashed(ends: npt.NDArray[np.int64], content: npt.NDArray[np.uint8], key: bytes) -> Words:
    """Return the hashes of texts, each of which begins where the one before ends.

    Parameters
    ----------
    content
        All bytes, and a word more.
    """
    sizes = np.diff(ends)
    words = np.frombuffer(key, dtype="<u8")
    state = np.empty((4, len(sizes)), dtype=np.uint64)
    state.T[:] = np.array(START, dtype=np.uint64) ^ np.tile(words, 2)
    last = sizes // WORD
    for place in range(int(last.max(initial=-1)) + 1):
        # while no id has ended, a view of all is mixed and nothing is gathered
        rows = slice(None) if last.min() >= place else np.flatnonzero(last >= place)
        word = _word(content, ends[:-1][rows], sizes[rows], place)
        moved = state[:, rows]
        moved[3] ^= word
        _mix(moved, rounds=2)
        moved[0] ^= word
        state[:, rows] = moved
    state[2] ^= np.uint64(0xFF)
    _mix(state, rounds=4)
    return _spread(np.bitwise_xor.reduce(state, axis=0))


def _spread(word: Words) -> Words:
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    word ^= word >> np.uint64(31)
    return word


def _word(
    content: npt.NDArray[np.uint8], start: npt.NDArray[Any], sizes: npt.NDArray[Any], at: int
) -> Words:
    """Return the word at a place of each text; the last one ends with the text's size."""
    anywhere: Words = np.ndarray((len(content) - WORD + 1,), "<u8", content, strides=(1,))
    word: Words = anywhere[start + WORD * at]
    left = np.minimum(sizes - WORD * at, WORD).astype(np.uint64)
    ending = left < WORD
    mask = (np.uint64(1) << (np.uint64(8) * np.where(ending, left, 0))) - np.uint64(1)
    size = (sizes & 0xFF).astype(np.uint64) << np.uint64(56)
    word[ending] = ((word & mask) | size)[ending]
    return word


def _mix(state: Words, *, rounds: int) -> None:
    """Apply SipRounds to (4, n) words."""
    a, b, c, d = state
    for _ in range(rounds):
        a += b
        c += d
        _turn(b, 13)
        _turn(d, 16)
        b ^= a
        d ^= c
        _turn(a, 32)
        a += d
        c += b
        _turn(d, 21)
        _turn(b, 17)
        d ^= a
        b ^= c
        _turn(c, 32)


def _turn(word: Words, bits: int) -> None:
    """Rotate to the left, in place."""
    carried = word >> np.uint64(64 - bits)
    word <<= np.uint64(bits)
    word |= carried
