"""Who decides at prices, wherever their columns are: what prices, plan and certificate ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.population.units import CellTable, Units
from incentive_engine.allocation.population.users import Near, Rows, Users
from incentive_engine.domain import ChoiceArray, FloatArray, IntArray


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
