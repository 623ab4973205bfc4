"""Rows from elsewhere as local Parquet, kept among the cached steps.

A plan passes over its users several times; a snapshot is the same each time, and what the run
states is the digest of the very rows that it was made from.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from incentive_engine.data.sources.csv_files import LARGEST_CSV, csv_columns, read_csv
from incentive_engine.data.sources.parquet_files import ParquetPart
from incentive_engine.data.step_cache import Step, StepCache
from incentive_engine.data.tables.files import digest_file
from incentive_engine.data.tables.formats import is_gzip
from incentive_engine.data.tables.types import refuse_repeated
from incentive_engine.domain import USER_ID
from incentive_engine.errors import DataError, Fault


def versioned_snapshot(
    where: str, version: Mapping[str, str], build: Callable[[Path], None]
) -> ParquetPart:
    """Return rows whose version can be told without reading them; read only when it is new.

    Parameters
    ----------
    version
        Everything that the rows depend on.
    build
        Writes the Parquet file.
    """
    return _part(StepCache().run("source", version, lambda folder: build(_rows(folder))), where)


def fresh_snapshot(where: str, build: Callable[[Path], None]) -> ParquetPart:
    """Return rows that have to be read to know whether they have changed."""
    cache = StepCache()
    with tempfile.TemporaryDirectory(dir=cache.scratch("source")) as folder:
        rows = _rows(Path(folder))
        build(rows)
        # a server does not tell versions: the rows themselves are the version
        version = {"rows": digest_file(rows)}
        step = cache.run("source", version, lambda entry: _move(rows, _rows(entry)))
    return _part(step, where)


def _rows(folder: Path) -> Path:
    return folder / "table.parquet"


def _part(step: Step, where: str) -> ParquetPart:
    return ParquetPart(path=_rows(step.path), shown=where)


def _move(source: Path, target: Path) -> None:
    shutil.move(source, target)


def write_rows(blocks: Iterator[pa.Table], file: Path, *, where: str) -> None:
    """Write blocks of one table as Parquet.

    Raises
    ------
    DataError
        When a type cannot be kept, or there is no block.
    """
    writer = None
    try:
        for block in blocks:
            writer = writer or pq.ParquetWriter(file, block.schema)
            writer.write_table(block)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        what, expected = "a column has a type that cannot be read", "text, numbers or times"
        remedy = "leave it out with query=SELECT …"
        raise DataError(Fault(where, what, expected, remedy)) from None
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        raise DataError(Fault(where, "has no rows", "one row per user", "fill it first"))


def csv_snapshot(file: Path, *, where: str, ids: Sequence[str]) -> ParquetPart:
    """Return a CSV file, compressed or not, as Parquet.

    Parameters
    ----------
    ids
        What the column of users' ids may be called; the first that there is, is the one.

    Raises
    ------
    DataError
        As `read_csv`, or when the compression is damaged.
    """

    def build(target: Path) -> None:
        if not is_gzip(file):
            _as_parquet(file, target, where, ids)
            return
        unpacked = target.with_suffix(".csv")
        try:
            _unpack(file, unpacked, where)
            _as_parquet(unpacked, target, where, ids)
        finally:
            unpacked.unlink(missing_ok=True)

    return versioned_snapshot(where, {"csv": digest_file(file), "ids": " ".join(ids)}, build)


def _as_parquet(file: Path, target: Path, where: str, ids: Sequence[str]) -> None:
    names = [name for name in csv_columns(file, where=where) if name]
    refuse_repeated(names, where=where)
    # types stay as they were parsed: whether times name their zone is asked of the Parquet file
    own = next((name for name in ids if name in names), USER_ID)
    table = read_csv(file, names, where=where, ids=own)
    write_rows(iter([table]), target, where=where)


def _unpack(file: Path, target: Path, where: str) -> None:
    size = 0
    try:
        with gzip.open(file) as packed, target.open("wb") as out:
            while chunk := packed.read(1 << 22):
                size += len(chunk)
                if size > LARGEST_CSV:
                    what, remedy = "holds more than 2 GiB of CSV", "convert it to Parquet"
                    raise DataError(Fault(where, what, "at most 2 GiB", remedy))
                out.write(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        what, expected = "is damaged, cut off, or not compressed", "a gzip file"
        raise DataError(Fault(where, what, expected, "write or copy it anew")) from None
