"""Users of this process, written as shards for a fleet."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from incentive_engine.allocation.population.population import Population, Users
from incentive_engine.allocation.population.shards.mapped import ShardFile, write_shard
from incentive_engine.allocation.population.shards.sharded import ShardedUsers
from incentive_engine.allocation.population.sweep import shared_fields
from incentive_engine.errors import DataError, Fault
from incentive_engine.fleet import SharedWork
from incentive_engine.language import say


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
    size = sum(np.asarray(getattr(users, name)).nbytes for name in ShardFile.COLUMNS)
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
    # room beside the shards, for what else is written meanwhile
    if shutil.disk_usage(folder).free < 1.1 * size:
        what = say("has no room for {size:.1f} GB of shards", size=size / 1e9)
        raise DataError(Fault(str(folder), what, remedy="free some space, or use another folder"))
    with tempfile.TemporaryDirectory(dir=folder, prefix="shards-") as place:
        yield Path(place)
