"""Where tasks over shards run: in this process, in several, or on other machines."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar

from incentive_engine.cores import usable_cores
from incentive_engine.errors import Fault, SetupError
from incentive_engine.language import say

Shard = TypeVar("Shard")
Result = TypeVar("Result")


class Fleet(Protocol):
    """Workers that do one task for each of some shards."""

    def map(self, task: Callable[[Shard], Result], shards: Sequence[Shard]) -> list[Result]:
        """Return what the task gives for each shard, in the order of the shards.

        Task, shards and results are sent between processes, so results are small: a table of
        sums, or the rows of one shard.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """Processes on this machine; one shard, or one worker, needs none beside this one."""

    workers: int | None = None
    """How many; left out, one for each core that this process may use."""

    def map(self, task: Callable[[Shard], Result], shards: Sequence[Shard]) -> list[Result]:
        """Return what the task gives for each shard, in the order of the shards.

        Raises
        ------
        SetupError
            When a worker was ended from outside, as the system does where memory runs out.
        """
        workers = min(self.workers or usable_cores(), len(shards))
        if workers < 2:
            return [task(shard) for shard in shards]
        try:
            return list(_pool(workers).map(task, shards))
        except BrokenProcessPool as error:
            _pool.cache_clear()  # the next map starts workers anew
            what = say("one of {workers} worker processes was ended from outside", workers=workers)
            remedy = "see whether memory ran out; the same shards need less with one worker"
            raise SetupError(Fault("workers", what, remedy=remedy)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedWork:
    """A fleet that goes through the users in shards.

    Attributes
    ----------
    folder
        Where shards are written; every worker must be able to read it, and to write to it.
    shards
        Into how many the users are cut; None for one per `USERS`, and at least `FEWEST`.
    """

    fleet: Fleet
    folder: Path
    shards: int | None = None

    def number(self, users: int) -> int:
        """Return into how many shards so many users are cut."""
        # shards of few users, so that a handful of cores has work
        # 1_000_000: users of a shard, about: a sweep over one takes some tens of milliseconds
        return self.shards or max(4, -(-users // 1_000_000))


@lru_cache(maxsize=1)
def _pool(workers: int) -> ProcessPoolExecutor:
    """Return worker processes that stay, so that what they have mapped and compiled does too."""
    # forked children would inherit locks that threads of this process hold
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max_workers=workers, mp_context=context)
