"""A keyed hash of ids: no id tells its own rank, and another key ranks anew.

References
----------
J.-P. Aumasson and D. J. Bernstein, SipHash: a fast short-input PRF, 2012, section 2.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from incentive_engine.data.tables.arrow import Column, as_numpy, text_buffers, whole
from incentive_engine.domain import BoolArray

Words = npt.NDArray[np.uint64]


MASK: Final = 2**64 - 1


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
    from incentive_engine.data.hashing_kernel import hash_texts  # deciding on one user needs none

    column = whole(ids)
    number = pa.types.is_integer(column.type)
    hashed = np.empty(len(column), dtype=np.uint64)
    state = state_of(key)
    # numbers that are written as texts together, which take memory
    block = 1 << 16
    for start in range(0, len(hashed), block):
        some = column.slice(start, block)
        ends, content = text_buffers(some.cast(pa.string()) if number else some)
        hash_texts(ends, content, state, hashed[start : start + block])
    return hashed


def state_of(key: bytes) -> Words:
    """Return (4,) uint64, the state with which SipHash begins for a key of 16 bytes."""
    return np.array(_state(key), dtype=np.uint64)


@lru_cache(maxsize=16)
def _state(key: bytes) -> tuple[int, ...]:
    words = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    # "somepseudorandomlygeneratedbytes"
    start = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573
    return tuple(own ^ words[place % 2] for place, own in enumerate(start))


def hash_id(user_id: int | str, key: bytes) -> int:
    """Return the hash of one id, as `hash_ids` has it, in a few microseconds.

    >>> hash_id("u7", bytes(16)) == int(hash_ids(pa.array(["u7"]), bytes(16))[0])
    True
    """
    content, word_size = str(user_id).encode(), 8
    a, b, c, d = _state(key)
    last = len(content) // word_size
    # as SipHash pads: the last word holds what is left, and the size in its highest byte
    ending = (len(content) & 0xFF) << 56 | int.from_bytes(content[last * word_size :], "little")
    for at in range(last + 1):
        word = (
            ending
            if at == last
            else int.from_bytes(content[at * word_size : at * word_size + word_size], "little")
        )
        a, b, c, d = _mixed(a, b, c, d ^ word, rounds=2)
        a ^= word
    a, b, c, d = _mixed(a, b, c ^ 0xFF, d, rounds=4)
    z = a ^ b ^ c ^ d
    # the finaliser of splitmix64
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
        # equal hashes of different texts are rare, but possible: here the ids themselves decide
        earlier: set[Any] = set()
        for row in np.flatnonzero(np.isin(number, shared)).tolist():
            own = column[row].as_py()
            twice[row] = own in earlier
            earlier.add(own)
    return twice
