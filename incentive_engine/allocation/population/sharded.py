"""Sweeps over shards of the users on a fleet: prices go out, small tables of integers come back.

Sums are integers in units that all users share, so the table is the same for any number of
shards, wherever they lie and in whatever order they are done.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.population import choice_kernels as choices
from incentive_engine.allocation.population.kernels import Pairs
from incentive_engine.allocation.population.score_kernels import PriceTable
from incentive_engine.allocation.population.users import Users
from incentive_engine.domain import IntArray
from incentive_engine.errors import DataError, Fault, SetupError
from incentive_engine.fleet import Fleet, SharedWork
from incentive_engine.language import say

STAGE: Final = "INCENTIVE_STAGE"
"""The environment's name of a folder on an executor's own disk; left out: shards are mapped from
where they were written."""
COLUMNS: Final = ("value", "columns", "cell")
FREE: Final = 1.1
"""Room that must be free for the shards, as a multiple of their size."""

DIGEST: Final = 32
"""Bytes of a shard's digest."""

Mapped = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]
"""A shard's value, columns and cell."""

Sums = tuple[IntArray, tuple[int, int]]
"""What a shard's users choose, added up, and the two words of their best scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFile:
    """One shard's columns on the disk.

    Attributes
    ----------
    folder
        Holds a `.npy` file for each of `COLUMNS`.
    users
        How many there are.
    digest
        BLAKE2b of the files, by which a staged copy is known.
    """

    folder: str
    users: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shards:
    """The users' columns in shards, and who goes through them.

    Attributes
    ----------
    files
        One per shard.
    value
        The values that were written: users with others are not these.
    """

    fleet: Fleet
    files: tuple[ShardFile, ...]
    value: npt.NDArray[Any] = field(repr=False)

    def swept(self, pairs: Pairs, prices: PriceTable, unit: float, shape: Sequence[int]) -> Sums:
        """Return what all users choose at the prices, added up in the order of the shards.

        Parameters
        ----------
        unit
            In which the best scores are added; 0 leaves them out.
        shape
            `Users.shape`.
        """
        # columns stay where they are; all else of the pairs is a few numbers
        few = pairs._replace(
            value=pairs.value[:, :0], columns=pairs.columns[:, :, :0], cell=pairs.cell[:0]
        )
        task = SweepShard(pairs=few, prices=prices, unit=unit, shape=tuple(shape))
        answers = self.fleet.map(task, self.files)
        totals = sum(answer[0] for answer in answers)
        words = [sum(answer[1][i] for answer in answers) for i in range(2)]
        return np.asarray(totals, dtype=np.int64), (words[0], words[1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweepShard:
    """Goes through one shard at given prices."""

    pairs: Pairs
    """Without the columns."""
    prices: PriceTable
    unit: float
    shape: tuple[int, ...]

    def __call__(self, shard: ShardFile) -> Sums:
        """Return what the shard's users choose, added up."""
        value, columns, cell = mapped(shard)
        sums, cells, offers = self.shape
        totals = np.zeros((cells, offers, sums), dtype=np.int64)
        words = np.zeros(2 if self.unit else 0, dtype=np.int64)
        none, lost = np.empty(0, dtype=np.int16), np.empty(0, dtype=value.dtype)
        pairs = self.pairs._replace(value=value, columns=columns, cell=cell)
        choices.sweep(pairs, self.prices, self.unit, 0, shard.users, totals, words, none, lost)
        return totals, (int(words[0]), int(words[1])) if self.unit else (0, 0)


@contextmanager
def in_shards(users: Users, shared: SharedWork | None) -> Iterator[Users]:
    """Give users whose sweeps run over shards on a fleet; None leaves them as they are.

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
    folder, shards = shared.folder, shared.number(users.n)
    size = sum(np.asarray(getattr(users, name)).nbytes for name in COLUMNS)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < FREE * size:
        what = say("has no room for {size:.1f} GB of shards", size=size / 1e9)
        raise DataError(Fault(str(folder), what, remedy="free some space, or use another folder"))
    edges = [users.n * shard // shards for shard in range(shards + 1)]
    with tempfile.TemporaryDirectory(dir=folder, prefix="shards-") as place:
        files = tuple(
            _written(users, Path(place) / f"shard-{shard:05d}", slice(*edges[shard : shard + 2]))
            for shard in range(shards)
        )
        yield replace(users, shards=Shards(fleet=shared.fleet, files=files, value=users.value))


def _written(users: Users, folder: Path, rows: slice) -> ShardFile:
    """Write the columns of some users, and return where they lie."""
    folder.mkdir()
    for name in COLUMNS:
        part = np.ascontiguousarray(getattr(users, name)[..., rows])
        np.save(folder / f"{name}.npy", part)
    return ShardFile(
        folder=str(folder), users=rows.stop - rows.start, digest=digest_of_shard(folder)
    )


def digest_of_shard(folder: Path) -> str:
    """Return the BLAKE2b digest of a shard's files, in hexadecimal."""
    digest = hashlib.blake2b(digest_size=DIGEST)
    for name in COLUMNS:
        with (folder / f"{name}.npy").open("rb") as file:
            digest.update(hashlib.file_digest(file, hashlib.blake2b).digest())
    return digest.hexdigest()


def mapped(shard: ShardFile) -> Mapped:
    """Return a shard's value, columns and cell, mapped once for each worker and plan.

    Raises
    ------
    SetupError
        When the worker cannot read them.
    """
    known = _mapped_of(str(Path(shard.folder).parent))
    if shard not in known:
        known[shard] = _mapped(shard)
    return known[shard]


@lru_cache(maxsize=1)
def _mapped_of(_plan: str) -> dict[ShardFile, Mapped]:
    """Return what this worker has mapped of a plan; another plan's deleted files are let go."""
    return {}


def _mapped(shard: ShardFile) -> Mapped:
    try:
        try:
            return _loaded(staged(shard), shard)
        except FileNotFoundError:  # the folder of copies may be emptied at any time
            return _loaded(Path(shard.folder), shard)
    except (OSError, ValueError) as error:
        what = say("cannot be read where a task runs: {name}", name=type(error).__name__)
        remedy = "keep INCENTIVE_CACHE on a file system that executors share"
        raise SetupError(Fault(shard.folder, what, remedy=remedy)) from error


def _loaded(folder: Path, shard: ShardFile) -> Mapped:
    # mapped for writing of one's own, as kernels are compiled for such arrays
    mode: Literal["c"] | None = "c" if shard.users else None
    value, columns, cell = (
        np.asarray(np.load(folder / f"{name}.npy", mmap_mode=mode)) for name in COLUMNS
    )
    return value, columns, cell


def staged(shard: ShardFile) -> Path:
    """Return where a worker reads a shard: its own disk's copy, made once, where one is asked for.

    The copy is named by what it holds, so that the next plan of the same users finds it, and
    appears whole or not at all, so that a task that was killed, or runs twice, leaves what the
    next one can use.

    Raises
    ------
    OSError
        When the shard or the worker's disk cannot be read or written, or they differ.
    """
    source, own = Path(shard.folder), os.environ.get(STAGE)
    if not own:
        return source
    copy = Path(own) / f"shard-{shard.digest}"
    if copy.is_dir():
        return copy
    Path(own).mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=own, prefix=".stage-"))
    try:
        _copy(source, partial, shard.digest)
        partial.rename(copy)
    except OSError:
        if not copy.is_dir():  # else another task was faster, and its copy is the same
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return copy


def _copy(source: Path, to: Path, digest: str) -> None:
    for name in COLUMNS:
        shutil.copyfile(source / f"{name}.npy", to / f"{name}.npy")
    if digest_of_shard(to) != digest:
        raise OSError(errno.EIO, "the copy differs from the shard", str(to))
