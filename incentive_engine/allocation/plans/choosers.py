"""What users choose at given prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from incentive_engine.allocation.population.from_problem import users_of
from incentive_engine.allocation.population.limit_maps import LimitRows, rows_of
from incentive_engine.allocation.population.population import Population, Users
from incentive_engine.allocation.population.sweep import sweep
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import ChoiceArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choosers:
    """The users of a problem, ready to choose at any prices of its enforced limits.

    Attributes
    ----------
    users
        The problem's.
    rows
        Its enforced limits.
    """

    users: Users
    rows: LimitRows

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """Return the users of a problem."""
        users = users_of(problem)
        return cls(users=users, rows=rows_of(problem, users, problem.enforced))

    def at(self, prices: Mapping[str, float]) -> ChoiceArray:
        """Return (n,) int16, index into the problem's offers, −1 for none.

        Parameters
        ----------
        prices
            Limit name to price; limits of the problem that are not named count 0.
        """
        at = np.empty(self.users.n, dtype=np.int16)
        sweep(self.users, self._of_pairs(prices), choice=at)
        return offers_of(self.users, at)

    def sums(self, prices: Mapping[str, float]) -> FloatArray:
        """Return (m + 2, n_cells, k) float64: value, count and measures of what users choose.

        Offers stand in canonical order, as in `rows.matrix`.
        """
        return sweep(self.users, self._of_pairs(prices)).amounts

    def take(self, index: IntArray) -> Self:
        """Return some of the users."""
        return replace(self, users=self.users.take(index))

    def without(self, offers: Sequence[int]) -> Self:
        """Return the users without some of the problem's offers, by their places in it."""
        value = np.array(self.users.value)
        value[list(offers)] = -np.inf
        return replace(self, users=replace(self.users, value=value))

    def _of_pairs(self, prices: Mapping[str, float]) -> FloatArray:
        named = [prices.get(name, 0.0) for name in self.rows.names]
        in_order: FloatArray = np.array(named, dtype=np.float64)
        return self.rows.prices_of_pairs(in_order, self.users.shape)

    def worth(self, factor: FloatArray) -> Self:
        """Return the users with values multiplied by (n,) positive factors."""
        # a power of two keeps the fixed-point units exact
        users, most = self.users, np.exp2(np.ceil(np.log2(factor.max(initial=1.0))))
        first = np.arange(len(users.scale)) == 0
        more = replace(
            users,
            value=users.value * factor.astype(users.value.dtype),
            scale=np.where(first, users.scale / most, users.scale),
            largest=np.where(first, users.largest * most, users.largest),
        )
        return replace(self, users=more)


def choices_at(problem: Problem, prices: Mapping[str, float]) -> ChoiceArray:
    """Return what the users of a problem choose at given prices, as `Choosers.at`."""
    return Choosers.of(problem).at(prices)


def offers_of(users: Population, choice: ChoiceArray) -> ChoiceArray:
    """Return (n,) int16: the problem's offers for canonical positions, −1 for none."""
    return np.append(users.order, -1).astype(np.int16)[choice]
