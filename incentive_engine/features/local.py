"""Features of many rows out of a sharded log, shard by shard on a fleet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.data.tables.arrow import as_arrow, as_numpy, is_missing
from incentive_engine.data.tables.scratch import make_room
from incentive_engine.domain import IntArray
from incentive_engine.features.computing.events import ComputedFeatures, features_at
from incentive_engine.features.computing.program import build_program
from incentive_engine.features.computing.statistics import STATISTICS
from incentive_engine.features.plan import FeaturePlan
from incentive_engine.features.shards import ShardedLog, shard_of
from incentive_engine.fleet import Fleet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowsOfShard:
    """The rows whose users are in one shard.

    Attributes
    ----------
    user
        (rows,) int64 or text.
    moment
        (rows,) int64, microseconds since 1970, UTC.
    """

    shard: int
    user: pa.Array
    moment: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFeatures:
    """Makes the features of one shard's rows."""

    log: ShardedLog
    plan: FeaturePlan

    def __call__(self, rows: RowsOfShard) -> ComputedFeatures:
        """Return the features of the rows, in their order."""
        program = build_program(
            self.plan.columns,
            kinds=self.log.kinds,
            categories=self.log.categories,
            offer_categories=self.plan.offer_categories,
        )
        users = self.log.users_of(rows.shard)
        return features_at(
            program,
            self.log.events_of(rows.shard),
            user=_places(rows.user, users),
            moment=rows.moment,
            delay=self.plan.delay,
        )


def features_of_rows(
    task: ShardFeatures, *, user: pa.Array, moment: IntArray, fleet: Fleet
) -> ComputedFeatures:
    """Return the features of rows, each at its own moment, in the order of the rows.

    Parameters
    ----------
    user
        (rows,) int64 or text; one that the log does not know has no events.
    moment
        (rows,) int64, microseconds since 1970, UTC.
    """
    rows_of = _rows_by_shard(user, task.log.shards)
    shards = [
        RowsOfShard(shard=shard, user=user.take(as_arrow(rows)), moment=moment[rows])
        for shard, rows in enumerate(rows_of)
    ]
    kinds = {
        column.name: np.int64 if STATISTICS[column.verb].is_whole else np.float64
        for column in task.plan.columns
    }
    columns = {name: make_room((len(moment),), kind) for name, kind in kinds.items()}
    seen, late = np.zeros((2, len(moment)), dtype=np.int64)
    for rows, of_shard in zip(rows_of, fleet.map(task, shards), strict=True):
        for name, values in of_shard.columns.items():
            columns[name][rows] = values
        seen[rows], late[rows] = of_shard.seen, of_shard.late
    return ComputedFeatures(columns=columns, seen=seen, late=late)


def _rows_by_shard(user: pa.Array, shards: int) -> list[IntArray]:
    shard = shard_of(user, shards)
    order = np.argsort(shard, kind="stable")
    return np.split(order, np.searchsorted(shard[order], np.arange(1, shards)))


def _places(wanted: pa.Array, users: pa.Array) -> IntArray:
    """Return the place of each wanted id among the users, −1 where it is not among them."""
    if wanted.type != users.type:
        wanted, users = wanted.cast(pa.string()), users.cast(pa.string())
    place = pc.index_in(wanted, value_set=users)
    return np.where(is_missing(place), -1, as_numpy(place)).astype(np.int64)
