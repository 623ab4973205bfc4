"""Users in shards on a fleet: prices go out, sums and a bounded number of users come back.

Sums are integers in units that all users share, so an answer is the same for any number of
shards, wherever they lie and in whatever order they are done.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from incentive_engine import knobs
from incentive_engine.allocation.population.nearest import lowest_keys, nearest
from incentive_engine.allocation.population.population import Near, Population, Rows, Users, joined
from incentive_engine.allocation.population.shards import questions
from incentive_engine.allocation.population.shards.mapped import ShardFile, rows_of_part
from incentive_engine.allocation.population.shards.questions import Asked, FoundNear, OnShard
from incentive_engine.allocation.population.sweep import (
    passed,
    scores_in,
    size_sums,
    unit_of_scores,
)
from incentive_engine.allocation.population.units import CellTable, Units, table_of
from incentive_engine.domain import ChoiceArray, FloatArray, IntArray
from incentive_engine.fleet import Fleet
from incentive_engine.parallel import go_on

Answer = TypeVar("Answer")
Item = TypeVar("Item")


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
        whole, fraction = (sum(pair[i] for pair in words) for i in range(2))
        return scores_in(unit, (whole, fraction))

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
        answers = self._ask(
            partial(questions.open_within, price=price, width=width, most=most, columns=columns)
        )
        return self._merged(answers, lambda _, key: lowest_keys(np.arange(len(key)), key, most))

    def nearest_open(self, price: FloatArray, width: FloatArray, *, most: int) -> Near:
        """Return the users whose choice changes first on the way to the edge of a box."""
        columns = self._may_send(most)
        answers = self._ask(
            partial(questions.nearest_open, price=price, width=width, most=most, columns=columns)
        )
        return self._merged(answers, lambda distance, key: nearest(distance, key, most))

    def nearest_tie(self, price: FloatArray, *, most: int) -> tuple[CellTable, Near]:
        """Return what users choose, and those whose next best choice loses least."""
        columns = self._may_send(most)
        tables, found = zip(
            *self._ask(partial(questions.nearest_tie, price=price, most=most, columns=columns)),
            strict=True,
        )
        table = reduce(CellTable.plus, tables)
        return table, self._merged(found, lambda distance, key: nearest(distance, key, most))

    def open_part(
        self, price: FloatArray, width: FloatArray, *, most: int
    ) -> tuple[Population, Rows] | None:
        """Return the users whose choice may change within a box, and which of all they are."""
        few = knobs.MEMORY.answer // self._row // max(len(self.files), 1)
        within = partial(questions.open_part, price=price, width=width)
        answers = self._ask(partial(within, most=few))
        if sum(answer.count for answer in answers) > most:
            return None
        some = [answer.users for answer in answers if answer.users is not None]
        if len(some) == len(answers):
            index = np.concatenate(self._numbered([answer.index for answer in answers]))
            return joined(some).in_float64(), index.__getitem__
        place = Path(tempfile.mkdtemp(dir=self.files[0].plan, prefix="part-"))
        own = [(str(place / f"shard-{shard:05d}"),) for shard in range(len(self.files))]
        files = tuple(
            self._ask(
                partial(questions.written_part, price=price, width=width, plan=self.files[0].plan),
                own,
            )
        )
        undecided = replace(self, files=files, kind=np.dtype(np.float64), idle=False)
        return undecided, partial(rows_of_part, files, self.edges)

    def tied(self, price: FloatArray, *, within: float) -> IntArray:
        """Return the users whose next best choice loses so little at most, ascending."""
        answers = self._ask(partial(Users.tied, price=price, within=within))
        return np.concatenate(self._numbered(answers))

    def unhelped(self, price: FloatArray) -> IntArray:
        """Return the users who choose an offer that brings nothing, ascending."""
        return np.concatenate(self._numbered(self._ask(partial(Users.unhelped, price=price))))

    def take(self, index: IntArray) -> Users:
        """Return some of the users, (N,) int64, in that order."""
        order, own = self._by_shard(index)
        asked = [(file, rows) for file, rows in zip(self.files, own, strict=True) if len(rows)]
        if not asked:  # nobody is asked for: any shard has nobody
            asked = [(self.files[0], own[0])]
        everyone = joined(self._asked(Users.take, [Asked(file=f, own=(i,)) for f, i in asked]))
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        return everyone.take(place)

    def worthless(self) -> ShardedUsers:
        """Return the users with every value 0: only the limits matter."""
        return replace(self, idle=True)

    def choices(self, price: FloatArray | None, index: IntArray, to: ChoiceArray) -> ChoiceArray:
        """Return (n,) int16, canonical positions: what users choose, but for some."""
        asked = partial(questions.choices_of, price=price)
        return np.concatenate(self._ask(asked, self._changed(index, to)))

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
        asked = partial(questions.variance_of, price=price, face=face, unit=unit)
        return sum(self._ask(asked, self._changed(index, to)))

    def each(
        self,
        price: FloatArray | None,
        changed: tuple[IntArray, ChoiceArray],
        do: Callable[[Item, ChoiceArray], Answer],
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
        return self._ask(partial(questions.done, price=price, do=do), shards)

    @property
    def _row(self) -> int:
        """Bytes of a user's columns."""
        return self.kind.itemsize * self.k * (self.shape[0] - 1) + 12

    def _may_send(self, most: int) -> bool:
        return len(self.files) * most * self._row <= knobs.MEMORY.answer

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
        return [rows + start for rows, start in zip(own, self.edges.tolist(), strict=False)]

    def _by_shard(self, index: IntArray) -> tuple[IntArray, list[IntArray]]:
        """Return the order in which rows ascend, and for each shard its own rows."""
        order, edges = np.argsort(index, kind="stable"), self.edges
        parts = np.split(index[order], np.searchsorted(index[order], edges[1:-1]))
        return order, [rows - start for rows, start in zip(parts, edges.tolist(), strict=False)]

    def _changed(self, index: IntArray, to: ChoiceArray) -> list[tuple[IntArray, ChoiceArray]]:
        """Return for each shard which of its rows choose otherwise, and what."""
        order, own = self._by_shard(index)
        changed = np.split(to[order], np.cumsum([len(rows) for rows in own])[:-1])
        return list(zip(own, changed, strict=True))

    def _merged(
        self,
        found: Sequence[FoundNear],
        pick: Callable[[npt.NDArray[Any], npt.NDArray[np.uint64]], IntArray],
    ) -> Near:
        """Return those that are picked among the candidates of all shards."""
        index = np.concatenate(self._numbered([shard.index for shard in found]))
        distance = np.concatenate([shard.distance for shard in found])
        place = pick(distance, np.concatenate([shard.key for shard in found]))
        some = [shard.users for shard in found if shard.users is not None]
        return Near(
            index=index[place],
            distance=distance[place],
            users=joined(some).take(place) if some else self.take(index[place]),
            count=sum(shard.count for shard in found),
        )
