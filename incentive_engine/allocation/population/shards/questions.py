"""What the users of one shard are asked where a task has them, and what they send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.population.passes import on_one_thread
from incentive_engine.allocation.population.population import Near, Users
from incentive_engine.allocation.population.shards.mapped import ShardFile, mapped, write_shard
from incentive_engine.allocation.population.sweep import reaches
from incentive_engine.allocation.population.units import CellTable, Units
from incentive_engine.domain import ChoiceArray, FloatArray, IntArray

Answer = TypeVar("Answer")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """A shard, and what of a question is for it alone."""

    file: ShardFile
    own: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OnShard(Generic[Answer]):
    """Asks the users of one shard."""

    question: Callable[..., Answer]
    units: Units
    idle: bool

    def __call__(self, asked: Asked) -> Answer:
        """Return what the users of the shard answer."""
        users: Users = mapped(asked.file, self.units)
        with on_one_thread():
            return self.question(users.worthless() if self.idle else users, *asked.own)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundNear:
    """Some users of one shard; `users` is None where their columns are too many to be sent."""

    index: IntArray
    distance: npt.NDArray[Any]
    key: npt.NDArray[np.uint64]
    count: int
    users: Users | None

    @classmethod
    def of(cls, near: Near, *, columns: bool) -> FoundNear:
        """Return what is sent of some users."""
        return cls(
            index=near.index,
            distance=near.distance,
            key=near.users.key,
            count=near.count,
            users=near.users if columns else None,
        )


def open_within(
    users: Users, price: FloatArray, width: FloatArray, most: int, *, columns: bool
) -> FoundNear:
    """Return the users of the lowest keys whose choice may change within a box of prices."""
    return FoundNear.of(users.open_within(price, width, most=most), columns=columns)


def nearest_open(
    users: Users, price: FloatArray, width: FloatArray, most: int, *, columns: bool
) -> FoundNear:
    """Return the users whose choice changes first on the way to the edge of a box."""
    return FoundNear.of(users.nearest_open(price, width, most=most), columns=columns)


def nearest_tie(
    users: Users, price: FloatArray, most: int, *, columns: bool
) -> tuple[CellTable, FoundNear]:
    """Return what users choose, and those whose next best choice loses least."""
    table, near = users.nearest_tie(price, most=most)
    return table, FoundNear.of(near, columns=columns)


def choices_of(
    users: Users, index: IntArray, to: ChoiceArray, price: FloatArray | None
) -> ChoiceArray:
    """Return what users choose, but for some."""
    return users.choices(price, index, to)


def variance_of(
    users: Users,
    index: IntArray,
    to: ChoiceArray,
    *,
    price: FloatArray | None,
    face: FloatArray,
    unit: float,
) -> int:
    """Return the variance of what users redeem who choose as in `choices_of`, in units."""
    return users.variance(price, index, to, face=face, unit=unit)


def done(
    users: Users,
    index: IntArray,
    to: ChoiceArray,
    item: Item,
    *,
    price: FloatArray | None,
    do: Callable[[Item, ChoiceArray], Answer],
) -> Answer:
    """Return what is done with the offers, −1 for none, of the users of a shard."""
    offers = np.append(users.order, -1).astype(np.int16)
    return do(item, offers[users.choices(price, index, to)])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundPart:
    """How many users of a shard are open, and who, where they are few."""

    count: int
    index: IntArray
    users: Users | None


def open_part(users: Users, price: FloatArray, width: FloatArray, most: int) -> FoundPart:
    """Return how many users are open within a box of prices, and who, where they are few."""
    index = np.flatnonzero(reaches(users, price, width) <= 1.0)
    if len(index) > most:
        return FoundPart(count=len(index), index=index[:0], users=None)
    return FoundPart(count=len(index), index=index, users=users.take(index))


def written_part(
    users: Users, folder: str, price: FloatArray, width: FloatArray, plan: str
) -> ShardFile:
    """Write the users who are open within a box of prices as a shard of their own."""
    index = np.flatnonzero(reaches(users, price, width) <= 1.0)
    few = users.take(index).in_float64()
    return write_shard(few, slice(0, few.n), Path(folder), plan=Path(plan), index=index)
