"""Executors as a fleet: one list of shards for each core."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from incentive_engine.errors import IncentiveError
from incentive_engine.spark.session import collected, context_of

Shard = TypeVar("Shard")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """Executors of a Spark cluster, or of this machine.

    Attributes
    ----------
    master
        As `spark-submit` takes it: `local[2]`, `spark://host:7077`, `yarn`, `k8s://…`; left out,
        that of `spark-submit`, else all cores of this machine.
    """

    master: str | None = None

    def map(self, task: Callable[[Shard], Result], shards: Sequence[Shard]) -> list[Result]:
        """Return what the task gives for each shard, in the order of the shards.

        As many tasks run as there are cores, each with a list of shards.

        Raises
        ------
        SetupError
            When Spark cannot be reached or started, or a shard has failed as often as Spark
            tries.
        IncentiveError
            What a task itself says is wrong.
        """
        if not shards:
            return []
        context = context_of(self.master)
        numbered = list(enumerate(shards))
        slices = min(len(numbered), max(1, context.defaultParallelism))
        job = context.parallelize(numbered, slices).mapPartitions(_Shards(task))
        answers = dict(collected(job.collect))
        results = [answers[number] for number in range(len(numbered))]
        for result in results:
            if isinstance(result, _Refused):
                raise result.error
        return results


@dataclass(frozen=True, slots=True)
class _Refused:
    """What a task found wrong: the same however often it is tried, so it is no failure."""

    error: IncentiveError


@dataclass(frozen=True, slots=True)
class _Shards:
    """Does a task for the shards of one partition."""

    task: Callable[[Any], Any]

    def __call__(self, numbered: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
        for number, shard in numbered:
            try:
                yield number, self.task(shard)
            except IncentiveError as error:
                yield number, _Refused(error)
