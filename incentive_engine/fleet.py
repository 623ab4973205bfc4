"""Where tasks over shards run: in this process, in several, or on other machines."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Protocol, TypeVar

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
    """How many; left out, as many as there are cores."""

    def map(self, task: Callable[[Shard], Result], shards: Sequence[Shard]) -> list[Result]:
        """Return what the task gives for each shard, in the order of the shards.

        Raises
        ------
        SetupError
            When a worker was ended from outside, as the system does where memory runs out.
        """
        workers = min(self.workers or os.cpu_count() or 1, len(shards))
        if workers < 2:
            return [task(shard) for shard in shards]
        # forked children would inherit locks that threads of this process hold
        context = multiprocessing.get_context("spawn")
        try:
            with ProcessPoolExecutor(max_workers=workers, mp_context=context) as pool:
                return list(pool.map(task, shards))
        except BrokenProcessPool as error:
            what = say("one of {workers} worker processes was ended from outside", workers=workers)
            remedy = "see whether memory ran out; the same shards need less with one worker"
            raise SetupError(Fault("workers", what, remedy=remedy)) from error
