"""Decide for users whom no one process holds: tasks read their scores, and keep their choices.

Each shard is made by a task from what names it, such as rows of a file of scores, so that no
user's numbers pass through here. The driver sees how large amounts are, so that all shards add up
in the same units, and who explores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from incentive_engine.allocation.explorers import Explorers
from incentive_engine.allocation.plans.plan import solve_population
from incentive_engine.allocation.plans.solved import Solved
from incentive_engine.allocation.population.from_problem import units_of, users_of
from incentive_engine.allocation.population.passes import on_one_thread
from incentive_engine.allocation.population.shards.mapped import ShardFile, write_shard
from incentive_engine.allocation.population.shards.sharded import ShardedUsers
from incentive_engine.allocation.population.shards.spread import plan_folder
from incentive_engine.allocation.population.sweep import shared_fields
from incentive_engine.allocation.problem import Problem, Question
from incentive_engine.domain import ChoiceArray, FloatArray, IntArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.fleet import SharedWork
from incentive_engine.language import say
from incentive_engine.parallel import Advance, unheard

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShardedPlan(Generic[Item]):
    """A plan of users in shards, whose choices stay with them.

    Attributes
    ----------
    question
        What was asked, with those who explore.
    solved
        The plan.
    users, items
        Who they are, and what names each shard of them.
    """

    question: Question
    solved: Solved
    users: ShardedUsers
    items: Sequence[Item]

    @property
    def prices(self) -> dict[str, float]:
        """Limit name to value given up per unit."""
        return self.solved.prices

    def each(self, do: Callable[[Item, ChoiceArray], Answer]) -> list[Answer]:
        """Return what is done with the choices of each shard, by the tasks that make them.

        Parameters
        ----------
        do
            Gets what names the shard, and (n,) int16 its users' offers, −1 for none, as if
            nobody explored; sent to executors.
        """
        draft = self.solved.draft
        return self.users.each(draft.price, (draft.index, draft.to), do, self.items)


@contextmanager
def solve_in_shards(
    question: Question,
    state: Callable[[Item], Problem],
    items: Sequence[Item],
    shared: SharedWork,
    *,
    users: int,
    advance: Advance = unheard,
) -> Iterator[ShardedPlan[Item]]:
    """Give the plan of users whose columns tasks read themselves; it is the one of `solve`.

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
    InfeasibleError, DataError, SolverError
        As `solve`.
    """
    with _stated(question, state, items, shared, users=users) as (asked, population):
        solved = solve_population(asked, population, advance=advance)
        yield ShardedPlan(question=asked, solved=solved, users=population, items=items)


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
def _stated(
    question: Question,
    state: Callable[[Item], Problem],
    items: Sequence[Item],
    shared: SharedWork,
    *,
    users: int,
) -> Iterator[tuple[Question, ShardedUsers]]:
    """Give users who are stated shard by shard, and the question with those who explore.

    Parameters are those of `solve_in_shards`.

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
    known = [
        (start, explorers)
        for start, explorers in zip(starts.tolist(), parts, strict=False)
        if explorers
    ]
    if not known:
        return None
    return Explorers(
        users=np.concatenate([explorers.users + start for start, explorers in known]),
        choice=np.concatenate([explorers.choice for _, explorers in known]),
        value=np.concatenate([explorers.value for _, explorers in known]),
        propensity=np.concatenate([explorers.propensity for _, explorers in known]),
    )
