"""From a location to a table that can be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from incentive_engine.config.access.location import Kind, Location, local
from incentive_engine.data.sources.databases import database_rows
from incentive_engine.data.sources.delta import delta_parts, is_delta
from incentive_engine.data.sources.local_files import (
    files_of,
    is_csv,
    is_gzip,
    parts_with_folders,
)
from incentive_engine.data.sources.object_store import copied_here
from incentive_engine.data.sources.parquet_files import ParquetPart, ParquetParts
from incentive_engine.data.sources.postgres import server_rows
from incentive_engine.data.sources.snapshots import csv_snapshot
from incentive_engine.data.sources.source import Source, source_of

AS_THEY_ARE: Final[Mapping[str, str]] = MappingProxyType({})


def open_source(location: Location | Path, *, renames: Mapping[str, str] = AS_THEY_ARE) -> Source:
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
    if location.kind is Kind.S3:
        files = _local(copied_here(location), where=location.where)
    else:
        files = _local(location, where=location.where)
    return source_of(files, location=location, renames=renames)


def _local(location: Location, *, where: str) -> Path | ParquetParts:
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
    return ParquetParts.of([_snapshot(file, where, len(files)) for file in files], where=where)


def _snapshot(file: Path, where: str, files: int) -> ParquetPart:
    """Return a CSV file's rows; where there are several, messages name the one."""
    part = csv_snapshot(file, where=where if files == 1 else str(file))
    return replace(part, shown=where if files == 1 else str(file))
