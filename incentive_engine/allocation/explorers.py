"""Users whose arm was drawn by lot before anything is solved, and what it uses of the limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from incentive_engine.domain import ChoiceArray, Columns, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explorers:
    """Users of a problem whose arm was drawn by lot: no price decides on them.

    Attributes
    ----------
    users
        (e,) int64, their rows, ascending.
    choice
        (e,) int16, index into the problem's offers, −1 for control.
    value
        (e,) float64, what the drawn pair is worth, 0 for control.
    propensity
        (e,) float64, below 1, how likely the arm was among those that the user may get.
    """

    users: IntArray
    choice: ChoiceArray
    value: FloatArray
    propensity: FloatArray

    @property
    def treated(self) -> int:
        """How many of them get an offer."""
        return int(np.count_nonzero(self.choice >= 0))

    @property
    def worth(self) -> float:
        """What all their pairs are worth."""
        return float(self.value.sum())

    @property
    def pairs(self) -> tuple[IntArray, IntArray]:
        """Return the users with an offer and their offers, (t,) each."""
        taken = self.choice >= 0
        return self.users[taken], self.choice[taken].astype(np.int64)

    def amounts(self, columns: Columns) -> FloatArray:
        """Return (t,) float64 a measure, (k, n), of the pairs."""
        user, offer = self.pairs
        return np.asarray(columns[offer, user], dtype=np.float64)

    def among(self, index: IntArray) -> Self:
        """Return those among some users, (s,) int64 ascending rows, numbered by their place."""
        place = np.searchsorted(index, self.users)
        inside = place < len(index)
        inside[inside] = index[place[inside]] == self.users[inside]
        return type(self)(
            users=place[inside],
            choice=self.choice[inside],
            value=self.value[inside],
            propensity=self.propensity[inside],
        )

    def merged(self, choice: ChoiceArray) -> ChoiceArray:
        """Return a choice, (n,) int16, with that of the explorers in it."""
        both = choice.copy()
        both[self.users] = self.choice
        return both
