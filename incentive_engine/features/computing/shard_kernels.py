"""Compiled loops that hash ids, and bring the events of each user together."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from incentive_engine.domain import IntArray
from incentive_engine.features.computing.kernel import EventArrays
from incentive_engine.jit import compiled

Hashes = npt.NDArray[np.uint64]

OFFSET: Final = np.uint64(0xCBF29CE484222325)
PRIME: Final = np.uint64(0x100000001B3)


@compiled
def mixed(word: np.uint64) -> np.uint64:
    """Return a word spread by the finaliser of splitmix64."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@compiled
def hash_texts(ends: IntArray, content: npt.NDArray[np.uint8]) -> Hashes:
    """Return the hash of each text, which ends where the next one begins."""
    hashed = np.empty(len(ends) - 1, dtype=np.uint64)
    for row in range(len(hashed)):
        word = OFFSET
        for place in range(ends[row], ends[row + 1]):
            word = (word ^ np.uint64(content[place])) * PRIME
        hashed[row] = mixed(word)
    return hashed


@compiled
def hash_numbers(numbers: IntArray) -> Hashes:
    """Return the hash of each number's decimal digits."""
    hashed = np.empty(len(numbers), dtype=np.uint64)
    digits = np.empty(20, dtype=np.uint8)
    for row in range(len(numbers)):
        remaining, word, size = np.uint64(abs(numbers[row])), OFFSET, 0
        while remaining or not size:
            digits[size] = np.uint8(remaining % np.uint64(10))
            remaining //= np.uint64(10)
            size += 1
        if numbers[row] < 0:
            word = (word ^ np.uint64(45)) * PRIME
        for place in range(size - 1, -1, -1):
            word = (word ^ np.uint64(digits[place] + 48)) * PRIME
        hashed[row] = mixed(word)
    return hashed


@compiled
def places_by_user(user: IntArray, users: int) -> tuple[IntArray, IntArray]:
    """Return where each user begins, (users + 1,), and the rows by user, their order kept."""
    start = np.zeros(users + 1, dtype=np.int64)
    for row in range(len(user)):
        start[user[row] + 1] += 1
    for at in range(users):
        start[at + 1] += start[at]
    following = start[:-1].copy()
    order = np.empty(len(user), dtype=np.int64)
    for row in range(len(user)):
        order[following[user[row]]] = row
        following[user[row]] += 1
    return start, order


@compiled
def count_repeats(events: EventArrays, start: IntArray) -> int:
    """Return how many events equal one of those just before them at the same moment."""
    repeats = 0
    # events at the same moment among which repeats are looked for
    near = 64
    for user in range(len(start) - 1):
        for at in range(start[user] + 1, start[user + 1]):
            before = at - 1
            while before >= max(start[user], at - near) and events.time[before] == events.time[at]:
                if (
                    events.kind[before] == events.kind[at]
                    and events.category[before] == events.category[at]
                    and events.amount[before] == events.amount[at]
                ):
                    repeats += 1
                    break
                before -= 1
    return repeats
