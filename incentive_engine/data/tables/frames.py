"""Tables on disk as pandas frames, for what learns from them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from incentive_engine.data.tables.files import atomic_file, check_suffix
from incentive_engine.data.tables.types import plain_table


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return a table that was read as a frame.

    Text is of dtype ``str``, numbers are integers or floats (floats where values are missing),
    dates ``datetime64``.
    """
    frame: pd.DataFrame = table.to_pandas(date_as_object=False, ignore_metadata=True)
    return frame


def from_frame(frame: pd.DataFrame, *, where: str = "frame") -> pa.Table:
    """Return a frame as it would be read from a file; objects count as text."""
    texts = [name for name, kind in frame.dtypes.items() if kind == "object"]
    table = pa.Table.from_pandas(frame.astype(dict.fromkeys(texts, "str")), preserve_index=False)
    return plain_table(table, where=where)


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV or Parquet; see `write_blocks`."""
    write_blocks([frame], path)


def write_blocks(frames: Iterable[pd.DataFrame], path: Path) -> None:
    """Write the blocks of a table as CSV or Parquet, whole or not at all.

    Parameters
    ----------
    frames
        At least one, all with the same columns.
    path
        A new file; one that exists is an error.

    Raises
    ------
    DataError
        When the suffix is unknown, the file exists, or it cannot be written.
    """
    check_suffix(path)
    tables = (pa.Table.from_pandas(frame, preserve_index=False) for frame in frames)
    with atomic_file(path) as partial:
        first = next(tables)
        is_csv = path.suffix.lower() == ".csv"
        with (arrow_csv.CSVWriter if is_csv else pq.ParquetWriter)(partial, first.schema) as out:
            for table in chain([first], tables):
                out.write_table(table)
