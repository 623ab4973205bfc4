"""The table of an event log, read block by block."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset

from incentive_engine.data.tables.files import digest_file
from incentive_engine.errors import DataError, Fault

ROWS: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogSource:
    """A CSV or Parquet file, or a folder of Parquet files."""

    path: Path
    where: str
    schema: pa.Schema

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.schema.names)

    def kind_of(self, column: str) -> pa.DataType:
        """Return a column's type."""
        return self.schema.field(column).type

    def rows(self) -> int | None:
        """Return how many rows there are by the files' own word; None for CSV."""
        return None if self.path.suffix == ".csv" else _parts(self.path).count_rows()

    def digest(self) -> str:
        """Return a sha256 of the files, in hexadecimal."""
        return digest_file(self.path)

    def blocks(self, columns: Collection[str]) -> Iterator[pa.Table]:
        """Yield some columns of all rows in their order, some at a time."""
        wanted = [name for name in self.columns if name in columns]
        if self.path.suffix == ".csv":
            yield pyarrow.csv.read_csv(self.path).select(wanted)
            return
        for batch in _parts(self.path).to_batches(columns=wanted, batch_size=ROWS):
            if batch.num_rows:
                yield pa.Table.from_batches([batch])


def open_log(path: Path) -> LogSource:
    """Return the table of a log.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    try:
        if path.suffix == ".csv":
            schema = pyarrow.csv.read_csv(path).schema
        else:
            schema = _parts(path).schema
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(Fault(str(path), f"cannot be read: {error}")) from None
    return LogSource(path=path, where=str(path), schema=schema)


def _parts(path: Path) -> pyarrow.dataset.Dataset:
    return pyarrow.dataset.dataset(path, format="parquet", partitioning="hive")
