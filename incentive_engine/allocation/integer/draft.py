"""Choices of all users together with what they add up to, so that small changes stay small."""

from __future__ import annotations

from dataclasses import dataclass, replace

from incentive_engine.allocation.population.sweep import Choice, Table, tally
from incentive_engine.allocation.population.users import Users
from incentive_engine.domain import IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draft:
    """A plan, whether it keeps the limits or not.

    Attributes
    ----------
    choice
        (n,) int16 canonical positions, −1 for none.
    table
        What they add up to.
    """

    choice: Choice
    table: Table

    def without(self, few: Users, index: IntArray) -> Table:
        """Return what all users add up to but for some.

        Parameters
        ----------
        few, index
            Some of the users, and (N,) int64 their positions.
        """
        own = tally(few, self.choice[index])
        return replace(self.table, totals=self.table.totals - own.totals)

    def changed(self, few: Users, index: IntArray, to: Choice) -> Draft:
        """Return the draft in which some users choose otherwise.

        Parameters
        ----------
        few, index
            As for `without`.
        to
            (N,) int16, their choices.
        """
        choice = self.choice.copy()
        choice[index] = to
        return Draft(choice=choice, table=added(self.without(few, index), tally(few, to)))


def added(one: Table, other: Table) -> Table:
    """Return what two groups of users add up to."""
    return replace(one, totals=one.totals + other.totals)


def draft_of(users: Users, choice: Choice) -> Draft:
    """Return choices with what they add up to."""
    return Draft(choice=choice, table=tally(users, choice))
