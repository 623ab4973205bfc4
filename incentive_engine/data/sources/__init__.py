"""Tables to read, wherever they lie.

    open_source(parse_location("events/"))   → Source: columns, rows, head, blocks, table, digest

A source is one CSV file or the parts of a Parquet table. What is neither (a database, an object
store, compressed CSV) becomes Parquet in the cache when it is opened.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from incentive_engine.config.access.location import Kind, Location, local
from incentive_engine.data.sources.databases import database_rows
from incentive_engine.data.sources.delta import delta_parts, is_delta
from incentive_engine.data.sources.local_files import files_of, parts_with_folders
from incentive_engine.data.sources.object_store import copied_here
from incentive_engine.data.sources.parquet_files import ParquetParts
from incentive_engine.data.sources.postgres import server_rows
from incentive_engine.data.sources.snapshots import csv_snapshot
from incentive_engine.data.sources.source import Source, source_of
from incentive_engine.data.tables.formats import is_csv, is_gzip
from incentive_engine.domain import USER_ID


def open_source(
    location: Location | Path, *, renames: Mapping[str, str] = MappingProxyType({})
) -> Source:
    """Return the table at a location; only footers and headers of local files are read.

    Rows of a database or an object store, and compressed CSV, are copied into the cache first, so
    that every later pass sees the same rows.

    Parameters
    ----------
    location
        A path, or what `parse_location` made of a planner's words.
    renames
        What the table calls a column to what the engine calls it.

    Raises
    ------
    DataError
        When there is nothing, it cannot be read, or columns do not fit together.
    SetupError
        When a library that it needs is not installed.
    """
    if isinstance(location, Path):
        location = local(location)
    here = copied_here(location) if location.kind is Kind.S3 else location
    # a table that has our names already keeps them, whatever `renames` says
    ids = (*(theirs for theirs, ours in renames.items() if ours == USER_ID), USER_ID)
    files = _local(here, where=location.where, ids=ids)
    return source_of(files, location=location, renames=renames)


def _local(location: Location, *, where: str, ids: Sequence[str]) -> Path | ParquetParts:
    if location.kind is Kind.POSTGRESQL:
        return ParquetParts.of([server_rows(location)], where=where)
    if location.kind is not Kind.FILES:
        return ParquetParts.of([database_rows(location)], where=where)
    folder = Path(location.address)
    if is_delta(folder):
        return delta_parts(folder, where=where)
    files = files_of(location)
    if not is_csv(files[0]):
        return ParquetParts.of(parts_with_folders(files, location), where=where)
    if len(files) == 1 and not is_gzip(files[0]):
        return files[0]
    parts = [csv_snapshot(file, where=_shown(file, where, len(files)), ids=ids) for file in files]
    return ParquetParts.of(parts, where=where, ids=ids)


def _shown(file: Path, where: str, files: int) -> str:
    """Return how messages call a CSV file: as the planner did, by its own path among several."""
    return where if files == 1 else str(file)


def read_table(path: Path, columns: Collection[str] | None = None) -> pa.Table:
    """Read a file or a folder; see `Source.table`."""
    return open_source(path).table(columns)
