"""Choices of all users together with what they add up to, so that small changes stay small."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from incentive_engine.allocation.population.population import Population
from incentive_engine.allocation.population.sweep import PairColumns, sweep, tally
from incentive_engine.allocation.population.units import CellTable
from incentive_engine.domain import ChoiceArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CandidatePlan:
    """A plan, whether it keeps the limits or not: prices, and who chooses otherwise than by them.

    So nothing that grows with the users is held or copied.

    Attributes
    ----------
    price
        (m + 1, n_cells, k) float64, the prices of pairs at which everyone chooses; None where
        nobody has an offer.
    index
        (c,) int64, ascending, who has another choice.
    to
        (c,) int16 canonical positions, −1 for none: theirs.
    table
        What all choices add up to.
    """

    price: FloatArray | None
    index: IntArray
    to: ChoiceArray
    table: CellTable

    @classmethod
    def at(cls, price: FloatArray | None, table: CellTable) -> CandidatePlan:
        """Return the draft in which everyone chooses by prices."""
        nobody = np.empty(0, dtype=np.int64)
        return cls(price=price, index=nobody, to=nobody.astype(np.int16), table=table)

    def choices(self, few: PairColumns, index: IntArray) -> ChoiceArray:
        """Return (N,) int16, canonical positions: the choices of some users.

        Parameters
        ----------
        few, index
            Some of the users, and (N,) int64 their positions.
        """
        choice = np.full(few.n, -1, dtype=np.int16)
        if self.price is not None:
            sweep(few, self.price, choice=choice)
        place = np.searchsorted(self.index, index)
        inside = np.flatnonzero(place < len(self.index))
        inside = inside[self.index[place[inside]] == index[inside]]
        choice[inside] = self.to[place[inside]]
        return choice

    def everybody(self, users: Population) -> ChoiceArray:
        """Return (n,) int16, canonical positions: the choices of all users."""
        return users.choices(self.price, self.index, self.to)

    def without(self, few: PairColumns, index: IntArray) -> CellTable:
        """Return what all users add up to but for some; arguments are those of `choices`."""
        return self.table.minus(tally(few, self.choices(few, index)))

    def changed(self, few: PairColumns, index: IntArray, to: ChoiceArray) -> CandidatePlan:
        """Return the draft in which some users choose otherwise.

        Parameters
        ----------
        few, index
            As for `choices`.
        to
            (N,) int16, their choices.
        """
        unchanged = ~np.isin(self.index, index)
        everyone = np.concatenate([self.index[unchanged], index])
        order = np.argsort(everyone, kind="stable")
        return replace(
            self,
            index=everyone[order],
            to=np.concatenate([self.to[unchanged], to])[order],
            table=self.without(few, index).plus(tally(few, to)),
        )
