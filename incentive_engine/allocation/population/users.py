"""Users in memory, or mapped into it: a population that this process can see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.population.kernels import choice_kernels as choices
from incentive_engine.allocation.population.kernels import pair_kernels
from incentive_engine.allocation.population.kernels.score_kernels import price_table
from incentive_engine.allocation.population.sweep import (
    PairColumns,
    dual_sum,
    in_parts,
    reaches,
    sweep,
    total_sizes,
)
from incentive_engine.allocation.population.units import CellTable
from incentive_engine.allocation.population.variance import variance_in
from incentive_engine.domain import ChoiceArray, FloatArray, IntArray

Rows = Callable[[IntArray], IntArray]
"""Gives which of a population's users some of a part of it are, (N,) int64 each."""


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
        return self.take(_listed(parts))

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
        return _listed(parts)

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


def nearest(distance: npt.NDArray[Any], key: npt.NDArray[np.uint64], size: int) -> IntArray:
    """Return the `size` users with the least distance, ties by key, sorted by key.

    Users without an alternative, whose distance is infinite, are left out.

    Parameters
    ----------
    distance
        (n,) float32 or float64, at least 0, and not −0.0, whose bits are those of a large number.
    """
    near = _within(distance, size)
    if size < len(near):
        cut = np.partition(distance[near], size - 1)[size - 1]
        tied = near[distance[near] == cut]
        near = near[distance[near] < cut]
        missing = size - len(near)
        if missing < len(tied):
            tied = tied[np.argpartition(key[tied], missing - 1)[:missing]]
        near = np.concatenate([near, tied])
    return np.asarray(near[np.argsort(key[near], kind="stable")], dtype=np.int64)


def lowest_keys(index: IntArray, key: npt.NDArray[np.uint64], size: int) -> IntArray:
    """Return those of some users with the `size` lowest keys, sorted by key."""
    if size < len(index):
        index = index[np.argpartition(key[index], size)[:size]]
    return index[np.argsort(key[index], kind="stable")]


def _within(distance: npt.NDArray[Any], size: int) -> IntArray:
    """Return users with finite distances: if there are, at least `size` of them, the nearest.

    The order of floats that are not negative is the order of their bits.
    """
    wide = distance.dtype == np.float64
    bits = distance.view(np.uint64 if wide else np.uint32)
    shift = 48 if wide else 16
    parts = in_parts(
        lambda start, stop, out: pair_kernels.count_leading(bits, shift, start, stop, out),
        n=len(bits),
        make=lambda: np.zeros(1 << 16, dtype=np.int64),
    )
    finite = int(distance.dtype.type(np.inf).view(bits.dtype)) >> shift
    counts = np.cumsum(sum(parts)[:finite])
    most = min(int(np.searchsorted(counts, size)), finite - 1)
    parts = in_parts(
        lambda start, stop, out: pair_kernels.find_leading(bits, shift, most, start, stop, out),
        n=len(bits),
        make=lambda: np.empty(counts[most] + 1, dtype=np.int64),
    )
    return _listed(parts)


def _listed(parts: Sequence[IntArray]) -> IntArray:
    """Return the users that loops wrote, each list with its length in its last place."""
    return np.concatenate([users[: users[-1]] for users in parts])
