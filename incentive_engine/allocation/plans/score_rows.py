"""Rows of a score table as a shard: stated by a task, from the files and the policy alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from incentive_engine.allocation.build import Members, state_users
from incentive_engine.allocation.plans.per_user import check_forced
from incentive_engine.allocation.problem import Problem
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable, read_score_rows
from incentive_engine.data.sources.source import Source


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreRows:
    """Some rows of a score table, and what only all users together say of theirs.

    Attributes
    ----------
    number
        Which shard they are, from 0.
    """

    number: int
    rows: slice
    members: Members


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StateRows:
    """States the users of some rows, whose scores it reads from the row groups that hold them.

    Attributes
    ----------
    costs
        What the costs that it reads are multiplied by.
    """

    policy: Policy
    scores: Source
    costs: float = 1.0

    def table(self, shard: ScoreRows) -> ScoreTable:
        """Return the scores of some rows, checked as those of a whole table.

        Raises
        ------
        DataError
            With everything that is wrong with these rows.
        """
        return read_score_rows(self.scores, self.policy, shard.rows).with_costs(self.costs)

    def __call__(self, shard: ScoreRows) -> Problem:
        """Return the problem of some rows' users, without its limits.

        Raises
        ------
        DataError
            When rows are wrong.
        InfeasibleError
            When a user must get an offer and may get none.
        """
        return self.stated(self.table(shard), shard)

    def stated(self, table: ScoreTable, shard: ScoreRows) -> Problem:
        """Return the same of scores that were read."""
        problem = state_users(self.policy, table, shard.members)
        check_forced(problem, first=shard.rows.start)
        return problem


def cut_rows(members: Members, shards: int) -> Iterator[ScoreRows]:
    """Yield shards as equal in size as can be, and none without users."""
    users = len(members.holdout)
    count = max(1, min(shards, users))
    edges = [users * shard // count for shard in range(count + 1)]
    for number, edge in enumerate(pairwise(edges)):
        rows = slice(*edge)
        yield ScoreRows(number=number, rows=rows, members=members.part(rows))
