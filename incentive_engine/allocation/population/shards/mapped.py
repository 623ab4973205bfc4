"""Users whose columns lie in files, mapped where they are asked: a shard of a population."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from incentive_engine.allocation.population.population import Users
from incentive_engine.allocation.population.sweep import PairColumns, shared_fields
from incentive_engine.allocation.population.units import Units
from incentive_engine.domain import IntArray
from incentive_engine.errors import Fault, SetupError
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFile:
    """One shard's columns on the disk.

    Attributes
    ----------
    folder
        Holds a `.npy` file for each of `COLUMNS`.
    plan
        The folder of all shards of a plan.
    users
        How many there are.
    digest
        BLAKE2b of the files, by which a staged copy is known.
    """

    COLUMNS: ClassVar = ("value", "columns", "cell", "key")

    folder: str
    plan: str
    users: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MappedUsers(Users):
    """Users of a shard; sent to another process they are the name of their file.

    Attributes
    ----------
    file
        Where their columns lie.
    """

    file: ShardFile

    def __reduce__(self) -> tuple[Callable[..., MappedUsers], tuple[ShardFile, Units]]:
        """Return how another process maps them."""
        return mapped, (self.file, self.units)


def _index_of(folder: Path) -> Path:
    """Return the file beside the columns of a part of a shard: which of its rows they are."""
    return folder / "index.npy"


def write_shard(
    users: PairColumns, rows: slice, folder: Path, *, plan: Path, index: IntArray | None = None
) -> ShardFile:
    """Write the columns of some users into a new folder, and return where they lie.

    The folder appears whole or not at all, so that a task that runs twice leaves one.

    Parameters
    ----------
    index
        Which rows of a larger shard these users are; None where they are all.
    """
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".shard-"))
    for name in ShardFile.COLUMNS:
        np.save(partial / f"{name}.npy", np.ascontiguousarray(getattr(users, name)[..., rows]))
    if index is not None:
        np.save(_index_of(partial), index)
    file = ShardFile(
        folder=str(folder), plan=str(plan), users=rows.stop - rows.start,
        digest=digest_of_shard(partial),
    )  # fmt: skip
    put_in_place(partial, folder)
    return file


def put_in_place(partial: Path, folder: Path) -> None:
    """Give a finished folder its name; one that has it already holds the same.

    Raises
    ------
    OSError
        When it cannot be renamed.
    """
    try:
        partial.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another task was faster
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def digest_of_shard(folder: Path) -> str:
    """Return the BLAKE2b digest of a shard's files, in hexadecimal."""
    # bytes of a shard's digest
    digest = hashlib.blake2b(digest_size=32)
    for name in ShardFile.COLUMNS:
        with (folder / f"{name}.npy").open("rb") as file:
            digest.update(hashlib.file_digest(file, hashlib.blake2b).digest())
    return digest.hexdigest()


def rows_of_part(files: Sequence[ShardFile], starts: IntArray, index: IntArray) -> IntArray:
    """Return which of all users some of a part are.

    Parameters
    ----------
    files
        The shards of the part.
    starts
        (shards + 1,) int64, at which of all rows the whole shards begin.
    index
        (N,) int64, rows of the part.
    """
    edges = np.cumsum([0, *(file.users for file in files)])
    shard = np.searchsorted(edges, index, side="right") - 1
    rows = np.empty(len(index), dtype=np.int64)
    for number in np.unique(shard).tolist():
        mine = shard == number
        own = np.load(_index_of(Path(files[number].folder)), mmap_mode="r")
        rows[mine] = own[index[mine] - edges[number]] + starts[number]
    return rows


def mapped(file: ShardFile, units: Units) -> MappedUsers:
    """Return the users of a shard, mapped once for each worker and plan.

    Raises
    ------
    SetupError
        When the worker cannot read them.
    """
    already_mapped = _mapped_of(file.plan)
    if file not in already_mapped:
        already_mapped[file] = _mapped(file, units)
    return already_mapped[file]


@lru_cache(maxsize=1)
def _mapped_of(_plan: str) -> dict[ShardFile, MappedUsers]:
    """Return what this worker has mapped of a plan; another plan's deleted files are let go."""
    return {}


def _mapped(file: ShardFile, units: Units) -> MappedUsers:
    try:
        try:
            return _loaded(staged(file), file, units)
        except FileNotFoundError:  # the folder of copies may be emptied at any time
            return _loaded(Path(file.folder), file, units)
    except (OSError, ValueError) as error:
        what = say("cannot be read where a task runs: {name}", name=type(error).__name__)
        remedy = "keep INCENTIVE_CACHE on a file system that executors share"
        raise SetupError(Fault(file.folder, what, remedy=remedy)) from error


def _loaded(folder: Path, file: ShardFile, units: Units) -> MappedUsers:
    # mapped for writing of one's own, as kernels are compiled for such arrays
    mode: Literal["c"] | None = "c" if file.users else None
    value, columns, cell, key = (
        np.asarray(np.load(folder / f"{name}.npy", mmap_mode=mode)) for name in ShardFile.COLUMNS
    )
    common = shared_fields(units)
    return MappedUsers(value=value, columns=columns, cell=cell, key=key, file=file, **common)


def staged(file: ShardFile) -> Path:
    """Return where a worker reads a shard: its own disk's copy, made once, where one is asked for.

    The copy is named by what it holds, so that the next plan of the same users finds it, and
    appears whole or not at all, so that a task that was killed, or runs twice, leaves what the
    next one can use.

    Raises
    ------
    OSError
        When the shard or the worker's disk cannot be read or written, or they differ.
    """
    # a folder on an executor's own disk; left out: shards are mapped from where they were written
    source, own = Path(file.folder), os.environ.get("INCENTIVE_STAGE")
    if not own:
        return source
    copy = Path(own) / f"shard-{file.digest}"
    if copy.is_dir():
        return copy
    Path(own).mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=own, prefix=".stage-"))
    try:
        for name in ShardFile.COLUMNS:
            shutil.copyfile(source / f"{name}.npy", partial / f"{name}.npy")
        if digest_of_shard(partial) == file.digest:
            put_in_place(partial, copy)
            return copy
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    raise OSError(errno.EIO, "the copy differs from the shard", str(copy))
