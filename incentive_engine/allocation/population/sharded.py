"""Users in shards on a fleet: prices go out, sums and a bounded number of users come back.

Sums are integers in units that all users share, so an answer is the same for any number of
shards, wherever they lie and in whatever order they are done.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.population.columns import (
    Units,
    on_one_thread,
    shared_fields,
)
from incentive_engine.allocation.population.mapped import (
    COLUMNS,
    ShardFile,
    mapped,
    rows_of_part,
    write_shard,
)
from incentive_engine.allocation.population.near import lowest_keys, nearest
from incentive_engine.allocation.population.population import Population
from incentive_engine.allocation.population.sweep import (
    CellTable,
    Choice,
    passed,
    reaches,
    scores_in,
    size_sums,
    table_of,
    unit_of_scores,
)
from incentive_engine.allocation.population.users import Near, Rows, Users, joined
from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.fleet import Fleet, SharedWork
from incentive_engine.language import say
from incentive_engine.parallel import go_on

FREE: Final = 1.1
"""Room that must be free for the shards, as a multiple of their size."""

BROUGHT: Final = 1 << 26
"""Bytes of columns that all shards together send with one answer. Where it might be more, users
are fetched once it is known who they are, and a part of the population stays in shards."""

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShardedUsers(Units):
    """Users in shards; see `Population` for what they answer.

    Attributes
    ----------
    fleet
        Who goes through the shards.
    files
        One per shard, in the order of the users' rows.
    kind
        The columns' type.
    idle
        Every value counts 0.
    """

    fleet: Fleet
    files: tuple[ShardFile, ...]
    kind: np.dtype[Any]
    idle: bool = False

    @property
    def edges(self) -> IntArray:
        """(shards + 1,) int64, the rows at which shards begin, and how many users there are."""
        return np.cumsum([0, *(file.users for file in self.files)], dtype=np.int64)

    @property
    def n(self) -> int:
        """How many users there are."""
        return int(self.edges[-1])

    def usage(self, price: FloatArray, *, weight: FloatArray | None = None) -> CellTable:
        """Return what the users choose, added up; each stands for `weight` of its cell."""
        sums = sum(totals for totals, _ in self._ask(partial(passed, price=price)))
        return table_of(self, np.asarray(sums, dtype=np.int64), weight)

    def usages(self, prices: Sequence[FloatArray]) -> list[CellTable]:
        """Return what the users choose at each of several prices, by one job."""
        shards = self._ask(partial(Users.usages, prices=prices))
        return [reduce(CellTable.plus, tables) for tables in zip(*shards, strict=True)]

    def best_scores(self, price: FloatArray) -> float:
        """Return the sum of every user's best score, exact to float64."""
        unit = unit_of_scores(self, price, self.n)
        words = [words for _, words in self._ask(partial(passed, price=price, unit=unit))]
        whole, rest = (sum(pair[i] for pair in words) for i in range(2))
        return scores_in(unit, (whole, rest))

    def sizes(self, *, weight: FloatArray | None = None) -> FloatArray:
        """Return (m + 2, n_cells, k) float64, absolute amounts added over all eligible pairs."""
        sums = np.asarray(sum(self._ask(size_sums)), dtype=np.int64)
        return table_of(self, sums, weight).amounts

    def cell_counts(self) -> IntArray:
        """Return (n_cells,) int64, how many users each cell has."""
        return np.asarray(sum(self._ask(Users.cell_counts)), dtype=np.int64)

    def drawn(self, below: npt.NDArray[np.uint64]) -> Users:
        """Return the users whose hashed key, 53 bits, is below their cell's threshold."""
        return joined(self._ask(partial(Users.drawn, below=below)))

    def open_within(self, price: FloatArray, width: FloatArray, *, most: int) -> Near:
        """Return the users of the lowest keys whose choice may change within a box of prices."""
        columns = self._may_send(most)
        found = self._ask(
            partial(_open_within, price=price, width=width, most=most, columns=columns)
        )
        return self._merged(found, lambda _, key: lowest_keys(np.arange(len(key)), key, most))

    def nearest_open(self, price: FloatArray, width: FloatArray, *, most: int) -> Near:
        """Return the users whose choice changes first on the way to the edge of a box."""
        columns = self._may_send(most)
        found = self._ask(
            partial(_nearest_open, price=price, width=width, most=most, columns=columns)
        )
        return self._merged(found, lambda distance, key: nearest(distance, key, most))

    def nearest_tie(self, price: FloatArray, *, most: int) -> tuple[CellTable, Near]:
        """Return what users choose, and those whose next best choice loses least."""
        columns = self._may_send(most)
        tables, found = zip(
            *self._ask(partial(_nearest_tie, price=price, most=most, columns=columns)),
            strict=True,
        )
        table = replace(tables[0], totals=sum(part.totals for part in tables))
        return table, self._merged(found, lambda distance, key: nearest(distance, key, most))

    def open_part(
        self, price: FloatArray, width: FloatArray, *, most: int
    ) -> tuple[Population, Rows] | None:
        """Return the users whose choice may change within a box, and which of all they are."""
        few = BROUGHT // self._row // max(len(self.files), 1)
        within = partial(_open_part, price=price, width=width)
        found = self._ask(partial(within, most=few))
        if sum(part.count for part in found) > most:
            return None
        some = [part.users for part in found if part.users is not None]
        if len(some) == len(found):
            index = np.concatenate(self._numbered([part.index for part in found]))
            return joined(some).in_float64(), index.__getitem__
        place = Path(tempfile.mkdtemp(dir=self.files[0].plan, prefix="part-"))
        own = [(str(place / f"shard-{shard:05d}"),) for shard in range(len(self.files))]
        files = tuple(
            self._ask(
                partial(_written_part, price=price, width=width, plan=self.files[0].plan), own
            )
        )
        part = replace(self, files=files, kind=np.dtype(np.float64), idle=False)
        return part, partial(rows_of_part, files, self.edges)

    def tied(self, price: FloatArray, *, within: float) -> IntArray:
        """Return the users whose next best choice loses so little at most, ascending."""
        found = self._ask(partial(Users.tied, price=price, within=within))
        return np.concatenate(self._numbered(found))

    def unhelped(self, price: FloatArray) -> IntArray:
        """Return the users who choose an offer that brings nothing, ascending."""
        return np.concatenate(self._numbered(self._ask(partial(Users.unhelped, price=price))))

    def take(self, index: IntArray) -> Users:
        """Return some of the users, (N,) int64, in that order."""
        order, own = self._by_shard(index)
        asked = [(file, part) for file, part in zip(self.files, own, strict=True) if len(part)]
        if not asked:  # nobody is asked for: any shard has nobody
            asked = [(self.files[0], own[0])]
        everyone = joined(self._asked(Users.take, [Asked(file=f, own=(i,)) for f, i in asked]))
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        return everyone.take(place)

    def worthless(self) -> ShardedUsers:
        """Return the users with every value 0: only the limits matter."""
        return replace(self, idle=True)

    def choices(self, price: FloatArray | None, index: IntArray, to: Choice) -> Choice:
        """Return (n,) int16, canonical positions: what users choose, but for some."""
        asked = partial(_choices, price=price)
        return np.concatenate(self._ask(asked, self._changed(index, to)))

    def variance(
        self,
        price: FloatArray | None,
        index: IntArray,
        to: Choice,
        *,
        face: FloatArray,
        unit: float,
    ) -> int:
        """Return the variance of what the users redeem who choose as in `choices`, in units."""
        asked = partial(_variance, price=price, face=face, unit=unit)
        return sum(self._ask(asked, self._changed(index, to)))

    def each(
        self,
        price: FloatArray | None,
        changed: tuple[IntArray, Choice],
        do: Callable[[Item, Choice], Answer],
        items: Sequence[Item],
    ) -> list[Answer]:
        """Return what is done with the choices of each shard where they are made.

        Parameters
        ----------
        price, changed
            As `price`, `index` and `to` of `choices`.
        do
            Gets what names the shard, and (n,) int16 offers of its users, −1 for none.
        """
        few = zip(self._changed(*changed), items, strict=True)
        shards = [(*own, item) for own, item in few]
        return self._ask(partial(_done, price=price, do=do), shards)

    @property
    def _row(self) -> int:
        """Bytes of a user's columns."""
        return self.kind.itemsize * self.k * (self.shape[0] - 1) + 12

    def _may_send(self, most: int) -> bool:
        return len(self.files) * most * self._row <= BROUGHT

    def _ask(
        self, question: Callable[..., Answer], own: Sequence[tuple[Any, ...]] | None = None
    ) -> list[Answer]:
        """Return the answers of all shards, in their order."""
        own = [()] * len(self.files) if own is None else own
        files = zip(self.files, own, strict=True)
        return self._asked(question, [Asked(file=file, own=mine) for file, mine in files])

    def _asked(self, question: Callable[..., Answer], asked: Sequence[Asked]) -> list[Answer]:
        go_on()
        task = OnShard(question=question, units=self.units, idle=self.idle)
        return self.fleet.map(task, asked)

    def _numbered(self, own: Sequence[IntArray]) -> list[IntArray]:
        """Return rows of all users for rows of each shard's own."""
        return [part + start for part, start in zip(own, self.edges.tolist(), strict=False)]

    def _by_shard(self, index: IntArray) -> tuple[IntArray, list[IntArray]]:
        """Return the order in which rows ascend, and for each shard its own rows."""
        order, edges = np.argsort(index, kind="stable"), self.edges
        parts = np.split(index[order], np.searchsorted(index[order], edges[1:-1]))
        return order, [part - start for part, start in zip(parts, edges.tolist(), strict=False)]

    def _changed(self, index: IntArray, to: Choice) -> list[tuple[IntArray, Choice]]:
        """Return for each shard which of its rows choose otherwise, and what."""
        order, own = self._by_shard(index)
        changed = np.split(to[order], np.cumsum([len(part) for part in own])[:-1])
        return list(zip(own, changed, strict=True))

    def _merged(
        self,
        found: Sequence[FoundNear],
        pick: Callable[[npt.NDArray[Any], npt.NDArray[np.uint64]], IntArray],
    ) -> Near:
        """Return those that are picked among the candidates of all shards."""
        index = np.concatenate(self._numbered([part.index for part in found]))
        distance = np.concatenate([part.distance for part in found])
        place = pick(distance, np.concatenate([part.key for part in found]))
        some = [part.users for part in found if part.users is not None]
        return Near(
            index=index[place],
            distance=distance[place],
            users=joined(some).take(place) if some else self.take(index[place]),
            count=sum(part.count for part in found),
        )


def _open_within(
    users: Users, price: FloatArray, width: FloatArray, most: int, *, columns: bool
) -> FoundNear:
    return FoundNear.of(users.open_within(price, width, most=most), columns=columns)


def _nearest_open(
    users: Users, price: FloatArray, width: FloatArray, most: int, *, columns: bool
) -> FoundNear:
    return FoundNear.of(users.nearest_open(price, width, most=most), columns=columns)


def _nearest_tie(
    users: Users, price: FloatArray, most: int, *, columns: bool
) -> tuple[CellTable, FoundNear]:
    table, near = users.nearest_tie(price, most=most)
    return table, FoundNear.of(near, columns=columns)


def _choices(users: Users, index: IntArray, to: Choice, price: FloatArray | None) -> Choice:
    return users.choices(price, index, to)


def _variance(
    users: Users,
    index: IntArray,
    to: Choice,
    *,
    price: FloatArray | None,
    face: FloatArray,
    unit: float,
) -> int:
    return users.variance(price, index, to, face=face, unit=unit)


def _done(
    users: Users,
    index: IntArray,
    to: Choice,
    item: Item,
    *,
    price: FloatArray | None,
    do: Callable[[Item, Choice], Answer],
) -> Answer:
    offers = np.append(users.order, -1).astype(np.int16)
    return do(item, offers[users.choices(price, index, to)])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundPart:
    """How many users of a shard are open, and who, where they are few."""

    count: int
    index: IntArray
    users: Users | None


def _open_part(users: Users, price: FloatArray, width: FloatArray, most: int) -> FoundPart:
    index = np.flatnonzero(reaches(users, price, width) <= 1.0)
    if len(index) > most:
        return FoundPart(count=len(index), index=index[:0], users=None)
    return FoundPart(count=len(index), index=index, users=users.take(index))


def _written_part(
    users: Users, folder: str, price: FloatArray, width: FloatArray, plan: str
) -> ShardFile:
    index = np.flatnonzero(reaches(users, price, width) <= 1.0)
    few = users.take(index).in_float64()
    return write_shard(few, slice(0, few.n), Path(folder), plan=Path(plan), index=index)


@contextmanager
def in_shards(users: Users, shared: SharedWork | None) -> Iterator[Population]:
    """Give users spread over shards on a fleet; None leaves them as they are.

    Shards are as equal in size as can be; those beyond one per user stay empty. Their files are
    gone at the end.

    Raises
    ------
    DataError
        When the folder has no room for them.
    """
    if shared is None:
        yield users
        return
    shards = shared.number(users.n)
    edges = [users.n * shard // shards for shard in range(shards + 1)]
    size = sum(np.asarray(getattr(users, name)).nbytes for name in COLUMNS)
    with plan_folder(shared.folder, size) as plan:
        files = tuple(
            write_shard(
                users, slice(*edges[shard : shard + 2]), plan / f"shard-{shard:05d}", plan=plan
            )
            for shard in range(shards)
        )
        yield ShardedUsers(
            fleet=shared.fleet, files=files, kind=users.kind, **shared_fields(users)
        )


@contextmanager
def plan_folder(folder: Path, size: int) -> Iterator[Path]:
    """Give a folder of a plan's own, gone at the end, with room for so many bytes of shards."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < FREE * size:
        what = say("has no room for {size:.1f} GB of shards", size=size / 1e9)
        raise DataError(Fault(str(folder), what, remedy="free some space, or use another folder"))
    with tempfile.TemporaryDirectory(dir=folder, prefix="shards-") as place:
        yield Path(place)
