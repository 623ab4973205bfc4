"""Doing independent work on a few threads, with the same results as one after the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

Result = TypeVar("Result")
First = TypeVar("First")
Second = TypeVar("Second")
WORKERS: Final = 2
"""Threads that share the work; each of them holds what its own task needs."""
ROWS: Final = 1 << 14
"""Rows at a time where sums over functions are taken: they stay in the processor's memory."""


def side_by_side(task: Callable[[int], Result], count: int) -> list[Result]:
    """Return ``[task(0), …, task(count - 1)]``, computed on a few threads.

    LightGBM, numba and NumPy release Python's lock while they work on arrays, and every task is
    deterministic by itself.
    """
    if count < 2:
        return [task(each) for each in range(count)]
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        return list(pool.map(task, range(count)))


def together(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """Return what two tasks give, the second computed on a thread of its own."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        other = pool.submit(second)
        return first(), other.result()


def in_blocks(task: Callable[[slice], None], rows: int) -> None:
    """Call a task for every block of at most `ROWS` of so many rows, on a few threads."""
    starts = range(0, rows, ROWS)
    side_by_side(lambda at: task(slice(starts[at], min(starts[at] + ROWS, rows))), len(starts))
