"""A population whose columns are stated where they are read: no user's numbers pass through here.

Each shard is made by a task from what names it, such as rows of a file of scores. The driver sees
how large amounts are, so that all shards add up in the same units, and who explores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from incentive_engine.allocation.explorers import Explorers
from incentive_engine.allocation.population.from_problem import units_of, users_of
from incentive_engine.allocation.population.pair_columns import on_one_thread, shared_fields
from incentive_engine.allocation.population.shards.mapped import ShardFile, write_shard
from incentive_engine.allocation.population.shards.sharded import ShardedUsers
from incentive_engine.allocation.population.shards.spread import plan_folder
from incentive_engine.allocation.problem import Problem, Question
from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.fleet import SharedWork
from incentive_engine.language import say

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StatedShard:
    """What is known of a shard once it is written.

    Attributes
    ----------
    kind
        The columns' type.
    largest
        (m + 1,) float64, the largest absolute value, and the largest amount of each measure.
    explorers
        Of the shard's users, by their rows in it.
    """

    file: ShardFile
    kind: np.dtype[Any]
    largest: FloatArray
    explorers: Explorers | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StateShard(Generic[Item]):
    """States the users of a shard and writes their columns."""

    state: Callable[[Item], Problem]
    plan: str

    def __call__(self, shard: tuple[int, Item]) -> StatedShard:
        """Return what is known of a shard, its number and what names it."""
        number, item = shard
        problem = self.state(item)
        with on_one_thread():
            users = users_of(problem)
        plan = Path(self.plan)
        return StatedShard(
            file=write_shard(users, slice(0, users.n), plan / f"shard-{number:05d}", plan=plan),
            kind=users.kind,
            largest=np.delete(users.largest, 1),
            explorers=problem.explorers,
        )


@contextmanager
def stated_in_shards(
    question: Question,
    state: Callable[[Item], Problem],
    items: Sequence[Item],
    shared: SharedWork,
    *,
    users: int,
) -> Iterator[tuple[Question, ShardedUsers]]:
    """Give users who are stated shard by shard, and the question with those who explore.

    Parameters
    ----------
    question
        Without explorers.
    state
        Gives the users of a shard as a problem with keys and without limits; sent to executors.
    items
        Names each shard; their users follow one another.
    users
        How many there are in all.

    Raises
    ------
    DataError
        When the folder has no room, shards disagree, or a shard finds its own rows wrong.
    """
    size = users * (len(question.offers) * (len(question.measures) + 1) * 8 + 12)
    with plan_folder(shared.folder, size) as plan:
        task = StateShard(state=state, plan=str(plan))
        shards = shared.fleet.map(task, list(enumerate(items)))
        if len({(shard.kind, len(shard.largest)) for shard in shards}) > 1:
            what = say("shards disagree on their columns")
            remedy = "write all parts of the scores with one schema"
            raise DataError(Fault("scores", what, remedy=remedy))
        largest = np.max([shard.largest for shard in shards], axis=0)
        population = ShardedUsers(
            fleet=shared.fleet,
            files=tuple(shard.file for shard in shards),
            kind=shards[0].kind,
            **shared_fields(units_of(question, largest, users)),
        )
        explorers = _joined([shard.explorers for shard in shards], population.edges)
        yield replace(question, explorers=explorers), population


def _joined(parts: Sequence[Explorers | None], starts: IntArray) -> Explorers | None:
    """Return the explorers of all shards by their rows among all users."""
    known = [(start, part) for start, part in zip(starts.tolist(), parts, strict=False) if part]
    if not known:
        return None
    return Explorers(
        users=np.concatenate([part.users + start for start, part in known]),
        choice=np.concatenate([part.choice for _, part in known]),
        value=np.concatenate([part.value for _, part in known]),
        propensity=np.concatenate([part.propensity for _, part in known]),
    )
