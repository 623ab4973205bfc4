"""Decide for users whom no one process holds: tasks read their scores, and keep their choices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from incentive_engine.allocation.plans.plan import solve_population
from incentive_engine.allocation.plans.solved import Solved
from incentive_engine.allocation.population.shards.sharded import ShardedUsers
from incentive_engine.allocation.population.shards.stated import stated_in_shards
from incentive_engine.allocation.problem import Problem, Question
from incentive_engine.domain import Choices
from incentive_engine.fleet import SharedWork
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

    def each(self, do: Callable[[Item, Choices], Answer]) -> list[Answer]:
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
    with stated_in_shards(question, state, items, shared, users=users) as (asked, population):
        solved = solve_population(asked, population, advance=advance)
        yield ShardedPlan(question=asked, solved=solved, users=population, items=items)
