"""Tables to read, wherever they lie.

    open_source(parse_location("events/"))   → Source: columns, rows, head, blocks, table, digest

A source is one CSV file or the parts of a Parquet table. What is neither (a database, an object
store, compressed CSV) becomes Parquet in the cache when it is opened.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa

from incentive_engine.data.sources.opening import open_source
from incentive_engine.data.sources.parquet_files import ROWS, ParquetPart, ParquetParts
from incentive_engine.data.sources.source import Source

__all__ = [
    "ROWS",
    "ParquetPart",
    "ParquetParts",
    "Source",
    "as_source",
    "column_names",
    "open_source",
    "read_blocks",
    "read_table",
]  # fmt: skip


def as_source(table: Path | Source) -> Source:
    """Return a source, opened if it is only a path."""
    return open_source(table) if isinstance(table, Path) else table


def column_names(path: Path) -> tuple[str, ...]:
    """Return the names of a file's columns; see `Source.columns`."""
    return open_source(path).columns


def read_table(path: Path, columns: Collection[str] | None = None) -> pa.Table:
    """Read a file or a folder; see `Source.table`."""
    return open_source(path).table(columns)


def read_blocks(path: Path, columns: Collection[str]) -> Iterator[pa.Table]:
    """Read a file or a folder block by block; see `Source.blocks`."""
    return open_source(path).blocks(columns)
