"""Who decides at prices, wherever their columns are: what prices, plan and certificate ask.

Of `Population` the `Users` are in memory, or mapped into it: what this process can see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.population.kernels import choice_kernels as choices
from incentive_engine.allocation.population.kernels import pair_kernels
from incentive_engine.allocation.population.nearest import listed, lowest_keys, nearest
from incentive_engine.allocation.population.passes import in_parts
from incentive_engine.allocation.population.sweep import (
    PairColumns,
    dual_sum,
    reaches,
    sweep,
    total_sizes,
)
from incentive_engine.allocation.population.units import CellTable, Units, price_table
from incentive_engine.allocation.population.variance import variance_in
from incentive_engine.domain import ChoiceArray, FloatArray, IntArray

Rows = Callable[[IntArray], IntArray]
"""Gives which of a population's users some of a part of it are, (N,) int64 each."""


class Population(Protocol):
    """Users who choose at prices of pairs, (m + 1, n_cells, k) float64.

    In memory they are `Users`, mapped from a disk `MappedUsers`, spread over machines
    `ShardedUsers`. All give the same answers: sums are integers, and of users only so many come
    back as are asked for. Users are numbered by their rows.
    """

    @property
    def n(self) -> int:
        """How many users there are."""

    @property
    def k(self) -> int:
        """How many offers there are."""

    @property
    def n_cells(self) -> int:
        """How many cells there are."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of a table of totals: value, count and measures × cells × offers."""

    @property
    def order(self) -> IntArray:
        """(k,) int64, the problem's offer at each canonical position."""

    @property
    def cost(self) -> int:
        """The position of `cost` among the measures, −1 for none."""

    @property
    def forced(self) -> bool:
        """Whether every user who can gets an offer."""

    @property
    def units(self) -> Units:
        """What all its parts have in common."""

    @property
    def kind(self) -> np.dtype[Any]:
        """The columns' type."""

    def usage(self, price: FloatArray, *, weight: FloatArray | None = None) -> CellTable:
        """Return what the users choose, added up; each stands for `weight` of its cell."""

    def usages(self, prices: Sequence[FloatArray]) -> list[CellTable]:
        """Return what the users choose at each of several prices, asked for at once."""

    def best_scores(self, price: FloatArray) -> float:
        """Return the sum of every user's best score, exact to float64."""

    def sizes(self, *, weight: FloatArray | None = None) -> FloatArray:
        """Return (m + 2, n_cells, k) float64, absolute amounts added over all eligible pairs."""

    def cell_counts(self) -> IntArray:
        """Return (n_cells,) int64, how many users each cell has."""

    def drawn(self, below: npt.NDArray[np.uint64]) -> Users:
        """Return the users whose hashed key, 53 bits, is below their cell's threshold."""

    def open_within(self, price: FloatArray, width: FloatArray, *, most: int) -> Near:
        """Return the users of the lowest keys whose choice may change within a box of prices.

        Parameters
        ----------
        width
            As `price`, the half widths of the box.
        """

    def nearest_open(self, price: FloatArray, width: FloatArray, *, most: int) -> Near:
        """Return the users whose choice changes first on the way to the edge of a box."""

    def open_part(
        self, price: FloatArray, width: FloatArray, *, most: int
    ) -> tuple[Population, Rows] | None:
        """Return the users whose choice may change within a box, and which of all they are.

        In float64; None where there are more than `most`.
        """

    def nearest_tie(self, price: FloatArray, *, most: int) -> tuple[CellTable, Near]:
        """Return what users choose, and those whose next best choice loses least."""

    def tied(self, price: FloatArray, *, within: float) -> IntArray:
        """Return the users whose next best choice loses so little at most, ascending."""

    def unhelped(self, price: FloatArray) -> IntArray:
        """Return the users who choose an offer that brings nothing, ascending."""

    def take(self, index: IntArray) -> Users:
        """Return some of the users, (N,) int64, in that order."""

    def worthless(self) -> Population:
        """Return the users with every value 0: only the limits matter."""

    def choices(self, price: FloatArray | None, index: IntArray, to: ChoiceArray) -> ChoiceArray:
        """Return (n,) int16, canonical positions: what users choose, but for some.

        None for prices at which nobody chooses anything.
        """

    def variance(
        self,
        price: FloatArray | None,
        index: IntArray,
        to: ChoiceArray,
        *,
        face: FloatArray,
        unit: float,
    ) -> int:
        """Return the variance of what the users redeem who choose as in `choices`, in units.

        Parameters
        ----------
        face
            (k,) float64, face values at the canonical positions, currency units.
        unit
            See `variance_unit`; by all users.
        """


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Users(PairColumns):
    """Users whose columns are at hand; see `Population` for what they answer."""

    def take(self, index: IntArray) -> Users:
        """Return some of the users, their columns copied."""
        value = self.taken(self.value, index)
        columns = np.empty((len(self.columns), *value.shape), dtype=value.dtype)
        for m, amounts in enumerate(self.columns):
            columns[m] = self.taken(amounts, index)
        return Users(
            value=value,
            columns=columns,
            cell=self.cell[index],
            key=self.key[index],
            order=np.arange(self.k),
            scale=self.scale,
            largest=self.largest,
            cost=self.cost,
            forced=self.forced,
            n_cells=self.n_cells,
        )

    def in_float64(self) -> Users:
        """Return the users with wider columns, whose scores can be told apart more finely."""
        value, columns = (x.astype(np.float64, copy=False) for x in (self.value, self.columns))
        return replace(self, value=value, columns=columns)

    def worthless(self) -> Users:
        """Return the users with every value 0: only the limits matter."""
        nothing = np.where(self.value > -np.inf, 0, -np.inf).astype(self.value.dtype)
        return replace(self, value=nothing)

    def usage(self, price: FloatArray, *, weight: FloatArray | None = None) -> CellTable:
        """Return what the users choose at the prices of pairs, added up."""
        return sweep(self, price, weight=weight)

    def usages(self, prices: Sequence[FloatArray]) -> list[CellTable]:
        """Return what the users choose at each of several prices."""
        return [self.usage(price) for price in prices]

    def best_scores(self, price: FloatArray) -> float:
        """Return the sum of every user's best score at the prices, exact to float64."""
        return dual_sum(self, price)

    def sizes(self, *, weight: FloatArray | None = None) -> FloatArray:
        """Return (m + 2, n_cells, k) float64, absolute amounts added over all eligible pairs."""
        return total_sizes(self, weight=weight)

    def cell_counts(self) -> IntArray:
        """Return (n_cells,) int64, how many users each cell has."""
        parts = in_parts(
            lambda start, stop, counts: pair_kernels.count_cells(self.cell, start, stop, counts),
            n=self.n,
            make=lambda: np.zeros(self.n_cells, dtype=np.int64),
        )
        return np.asarray(sum(parts), dtype=np.int64)

    def drawn(self, below: npt.NDArray[np.uint64]) -> Users:
        """Return the users whose hashed key, 53 bits, is below their cell's threshold."""
        parts = in_parts(
            lambda start, stop, out: pair_kernels.draw(
                self.cell, self.key, below, start, stop, out
            ),
            n=self.n,
            make=lambda: np.empty(self.n + 1, dtype=np.int64),
        )
        return self.take(listed(parts))

    def open_within(self, price: FloatArray, width: FloatArray, *, most: int) -> Near:
        """Return the users of the lowest keys whose choice may change within a box of prices."""
        reach = reaches(self, price, width)
        index = np.flatnonzero(reach <= 1.0)
        return self._near(lowest_keys(index, self.key, most), reach, count=len(index))

    def nearest_open(self, price: FloatArray, width: FloatArray, *, most: int) -> Near:
        """Return the users whose choice changes first on the way to the edge of a box."""
        reach = reaches(self, price, width)
        index = nearest(reach, self.key, most)
        index = index[reach[index] <= 1.0]
        return self._near(index, reach, count=len(index))

    def open_part(
        self, price: FloatArray, width: FloatArray, *, most: int
    ) -> tuple[Users, Rows] | None:
        """Return the users whose choice may change within a box, and which of all they are."""
        index = np.flatnonzero(reaches(self, price, width) <= 1.0)
        if len(index) > most:
            return None
        return self.take(index).in_float64(), index.__getitem__

    def nearest_tie(self, price: FloatArray, *, most: int) -> tuple[CellTable, Near]:
        """Return what users choose, and those whose next best choice loses least."""
        loss = np.empty(self.n, dtype=self.value.dtype)
        table = sweep(self, price, loss=loss)
        index = nearest(loss, self.key, most)
        return table, self._near(index, loss, count=int(np.count_nonzero(loss < np.inf)))

    def tied(self, price: FloatArray, *, within: float) -> IntArray:
        """Return the users whose next best choice loses so little at most, ascending."""
        loss = np.empty(self.n, dtype=self.value.dtype)
        sweep(self, price, loss=loss)
        return np.flatnonzero(loss <= within)

    def unhelped(self, price: FloatArray) -> IntArray:
        """Return the users who choose an offer that brings nothing, ascending."""
        pairs, prices = self.pairs, price_table(self, self.kind, price)
        parts = in_parts(
            lambda start, stop, out: choices.find_unhelped(pairs, prices, start, stop, out),
            n=self.n,
            make=lambda: np.empty(self.n + 1, dtype=np.int64),
        )
        return listed(parts)

    def choices(self, price: FloatArray | None, index: IntArray, to: ChoiceArray) -> ChoiceArray:
        """Return (n,) int16, canonical positions: what users choose, but for some."""
        choice = np.full(self.n, -1, dtype=np.int16)
        if price is not None:
            sweep(self, price, choice=choice)
        choice[index] = to
        return choice

    def variance(
        self,
        price: FloatArray | None,
        index: IntArray,
        to: ChoiceArray,
        *,
        face: FloatArray,
        unit: float,
    ) -> int:
        """Return the variance of what the users redeem who choose as in `choices`, in units."""
        choice = self.choices(price, index, to)
        taken = np.flatnonzero(choice >= 0)
        place = choice[taken]
        return variance_in(unit, self.columns[self.cost][self.order[place], taken], face[place])

    def _near(self, index: IntArray, distance: npt.NDArray[Any], *, count: int) -> Near:
        return Near(index=index, distance=distance[index], users=self.take(index), count=count)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Near:
    """Some users, sorted by key, with their columns.

    Attributes
    ----------
    index
        (N,) int64, which of the population they are.
    distance
        (N,) of the columns' type, how far each is from changing the choice.
    users
        Their columns, in the same order.
    count
        How many there are in all of whom these are some.
    """

    index: IntArray
    distance: npt.NDArray[Any]
    users: Users
    count: int

    def at(self, place: IntArray) -> Near:
        """Return those at some places."""
        return replace(
            self,
            index=self.index[place],
            distance=self.distance[place],
            users=self.users.take(place),
        )

    def nearest(self, size: int) -> Near:
        """Return the nearest of them, ties by key."""
        return self.at(nearest(self.distance, self.users.key, size))

    def with_tied(self, users: Users, index: IntArray) -> Near:
        """Return these users and some who are tied, whatever their distance here."""
        known = np.isin(self.index, index)
        new = np.flatnonzero(~np.isin(index, self.index))
        distance = np.where(known, 0, self.distance).astype(self.distance.dtype)
        far = np.zeros(len(new), dtype=distance.dtype)
        everyone = joined([self.users, users.take(new)])
        order = np.argsort(everyone.key, kind="stable")
        return replace(
            self,
            index=np.concatenate([self.index, index[new]])[order],
            distance=np.concatenate([distance, far])[order],
            users=everyone.take(order),
        )


def joined(parts: Sequence[Users]) -> Users:
    """Return the users of several parts, one part after the other; offers in canonical order."""
    first = parts[0]
    order = [users.order for users in parts]
    return replace(
        first,
        value=np.concatenate([p.value[o] for p, o in zip(parts, order, strict=True)], axis=1),
        columns=np.concatenate(
            [p.columns[:, o] for p, o in zip(parts, order, strict=True)], axis=2
        ),
        cell=np.concatenate([users.cell for users in parts]),
        key=np.concatenate([users.key for users in parts]),
        order=np.arange(first.k),
    )
