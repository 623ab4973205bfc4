"""A log in shards: users hashed once, the events of each shard sorted by user and time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from incentive_engine.data.tables.arrow import as_arrow, as_numpy, whole
from incentive_engine.features.computing.kernel import EventArrays
from incentive_engine.features.computing.shard_kernels import (
    count_repeats,
    hash_numbers,
    hash_texts,
    places_by_user,
)
from incentive_engine.features.computing.sorted_events import SortedEvents, in_order
from incentive_engine.features.logs.log import (
    EventBatch,
    LogCounts,
    LogReader,
    refuse_without_events,
)
from incentive_engine.fleet import Fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardedLog:
    """The events of a policy's logs on the disk.

    Attributes
    ----------
    shards
        How many there are.
    kinds, categories
        The values that codes stand for.
    logs
        What each log holds.
    events, repeats
        Events in all shards, and how many of them repeat another one.
    """

    VERSION: ClassVar[int] = 1
    """Of the files."""

    directory: Path
    shards: int
    kinds: tuple[str, ...]
    categories: tuple[str, ...]
    logs: tuple[LogCounts, ...]
    events: int
    repeats: int

    def users_of(self, shard: int) -> pa.Array:
        """Return the ids of a shard's users, in the order of `events_of`."""
        with pa.memory_map(str(self._file(shard, "user.arrow"))) as file:
            return whole(pa.ipc.open_file(file).read_all().column("user"))

    def events_of(self, shard: int) -> SortedEvents:
        """Return the events of a shard, mapped from the disk.

        Pages are mapped for writing of one's own, which nobody does: numba would compile the
        pass a second time for arrays that are read-only.
        """
        arrays = [
            np.load(self._file(shard, f"{name}.npy"), mmap_mode="c")
            for name in EventArrays._fields
        ]
        start = np.load(self._file(shard, "start.npy"))
        return SortedEvents(arrays=EventArrays(*map(np.asarray, arrays)), start=start)

    def _file(self, shard: int, name: str) -> Path:
        return self.directory / shard_name(shard) / name


def shard_name(shard: int) -> str:
    """Return the name of a shard's directory."""
    return f"shard-{shard:04d}"


def shard_of(ids: pa.Array, shards: int) -> npt.NDArray[np.uint16]:
    """Return the shard of each id, (n,) uint16; a number is hashed as its decimal digits.

    Notes
    -----
    FNV-1a over the bytes, spread by the finaliser of splitmix64: every engine can make the same.
    """
    if pa.types.is_integer(ids.type):
        hashed = hash_numbers(np.array(as_numpy(ids.cast(pa.int64()))))
    else:
        text = ids.cast(pa.large_string())
        ends = np.frombuffer(text.buffers()[1], np.int64, len(text) + 1, text.offset * 8)
        hashed = hash_texts(
            np.array(ends), np.frombuffer(bytes(text.buffers()[2] or b""), np.uint8)
        )
    return (hashed % np.uint64(shards)).astype(np.uint16)


def shards_for(rows: int | None) -> int:
    """Return how many shards a log of so many rows gets."""
    # events of a shard, about; a worker holds some 150 bytes for each
    events = 2_000_000
    # shards of logs that do not say how long they are
    unknown = 8
    return unknown if rows is None else max(1, -(-rows // events))


def write_sharded_log(
    reader: LogReader, directory: Path, *, fleet: Fleet, shards: int | None = None
) -> None:
    """Read the logs of a policy once, and write them in shards into an existing directory.

    Memory holds one block of a log while it is cut, and then one shard for each worker.

    Raises
    ------
    DataError
        When a log lacks a column, or holds what is no time or no amount, or nothing at all.
    """
    rows = [source.table.rows() for source in reader.sources]
    total = None if None in rows else sum(count or 0 for count in rows)
    shards = shards or shards_for(total)
    counts: list[LogCounts] = []
    _spill(reader.batches(counts), directory / "spill", shards)
    sizes = fleet.map(SortShard(directory), range(shards))
    shutil.rmtree(directory / "spill")
    refuse_without_events(counts)
    content = {
        "version": ShardedLog.VERSION,
        "shards": shards,
        "kinds": reader.kinds.values,
        "categories": reader.categories.values,
        "logs": [asdict(count) for count in counts],
        "events": sum(events for events, _ in sizes),
        "repeats": sum(repeats for _, repeats in sizes),
    }
    (directory / "log.json").write_text(json.dumps(content), encoding="utf-8")


def open_sharded_log(directory: Path) -> ShardedLog:
    """Return a log that `write_sharded_log` has written."""
    content = json.loads((directory / "log.json").read_text(encoding="utf-8"))
    return ShardedLog(
        directory=directory,
        shards=content["shards"],
        kinds=tuple(content["kinds"]),
        categories=tuple(content["categories"]),
        logs=tuple(LogCounts(**count) for count in content["logs"]),
        events=content["events"],
        repeats=content["repeats"],
    )


def _spill(batches: Iterator[EventBatch], directory: Path, shards: int) -> None:
    """Append the events of each batch to the files of their shards."""
    directory.mkdir()
    with ExitStack() as files:
        writers: list[pa.RecordBatchStreamWriter] = []
        for batch in batches:
            if not len(batch.user):
                continue  # without rows it does not say whether the logs have arrivals
            table = pa.record_batch({"user": batch.user, **_columns(batch.arrays)})
            if not writers:
                for shard in range(shards):
                    file = files.enter_context((directory / shard_name(shard)).open("wb"))
                    writer = pa.ipc.new_stream(file, table.schema)
                    writers.append(files.enter_context(writer))
            place = shard_of(batch.user, shards)
            order = np.argsort(place, kind="stable")
            ends = np.searchsorted(place[order], np.arange(shards + 1))
            # one shard keeps the order of the log, and spares a copy
            ordered = table if shards == 1 else table.take(as_arrow(order))
            for writer, start, end in zip(writers, ends[:-1], ends[1:], strict=True):
                if end > start:
                    writer.write(ordered.slice(start, end - start))


def _columns(arrays: EventArrays) -> dict[str, pa.Array]:
    columns: dict[str, npt.NDArray[Any]] = arrays._asdict()
    if not len(arrays.known):
        del columns["known"]
    return {name: as_arrow(values) for name, values in columns.items()}


@dataclass(frozen=True, slots=True)
class SortShard:
    """Sorts the events of one shard by user and time."""

    directory: Path

    def __call__(self, shard: int) -> tuple[int, int]:
        """Write a shard's sorted events; return how many there are, and how many repeat."""
        user, arrays = self._read(shard)
        folder = self.directory / shard_name(shard)
        folder.mkdir()
        encoded = whole(pc.dictionary_encode(user))
        place = as_numpy(encoded.indices).astype(np.int64)
        users = len(encoded.dictionary)
        # logs come in order of time, nearly, and a stable sort of such takes one pass
        by_time = np.argsort(arrays.time, kind="stable")
        start, by_user = places_by_user(place[by_time], users)
        order = by_time[by_user]
        ordered = in_order(arrays, order)
        for name, values in {**ordered._asdict(), "start": start}.items():
            np.save(folder / f"{name}.npy", values)
        table = pa.table({"user": encoded.dictionary})
        with pa.ipc.new_file(str(folder / "user.arrow"), table.schema) as file:
            file.write_table(table)
        return len(order), int(count_repeats(ordered, start))

    def _read(self, shard: int) -> tuple[pa.Array, EventArrays]:
        file = self.directory / "spill" / shard_name(shard)
        if not file.is_file() or not file.stat().st_size:
            return pa.array([], pa.string()), _no_events()
        with pa.memory_map(str(file)) as mapped:
            table = pa.ipc.open_stream(mapped).read_all()
            columns: dict[str, Any] = {
                name: np.array(as_numpy(whole(table.column(name))))
                for name in EventArrays._fields
                if name in table.column_names
            }
            user = whole(table.column("user"))
            return pa.concat_arrays([user]), _no_events()._replace(**columns)


def _no_events() -> EventArrays:
    numbers, codes = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
    return EventArrays(time=numbers, kind=codes, category=codes, amount=numbers, known=numbers)
