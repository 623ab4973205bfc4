"""CSV and Parquet as arrow tables, with errors that say what to mend."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from incentive_engine.errors import DataError, Fault

USER_ID: Final = "user_id"
CANONICAL_INTEGER: Final = r"^(0|-?[1-9][0-9]{0,17})$"
"""An id that survives the way to an integer and back; one with a leading zero does not."""
MISSING_NUMBERS: Final = tuple(arrow_csv.ConvertOptions().null_values)
"""Words that mean a missing number in CSV, such as ``NaN`` and ``NA``; as text they stay."""
PARQUET: Final = frozenset({".parquet", ".pq"})
"""How the names of Parquet files end."""

ROWS: Final = 1 << 18
"""Rows of a block: with twenty columns of numbers, some tens of megabytes."""

LARGEST_CSV: Final = 2**31 - 2
"""Bytes; a CSV file is parsed as one block, so that all of a column decides on its type."""
HEADER_BYTES: Final = 1_000_000
CHUNK_BYTES: Final = 1 << 22


def csv_columns(path: Path) -> tuple[str, ...]:
    """Return the column names of a CSV file.

    Raises
    ------
    DataError
        When the header is not UTF-8, or not separated by commas.
    """
    with path.open("rb") as file:
        header = file.readline(HEADER_BYTES)
    if header.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in header:
        raise DataError(_not_utf8(path, "the file is in UTF-16 or binary"))
    try:
        line = header.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError:
        raise DataError(_not_utf8(path, "the header is not UTF-8")) from None
    names = next(csv.reader([line]), [])
    if len(names) == 1 and (other := next((c for c in ";\t|" if c in names[0]), None)):
        expected = "columns separated by commas"
        raise DataError(Fault(str(path), f"the header is separated by {other!r}", expected))
    return tuple(names)


def read_csv(path: Path, columns: Sequence[str]) -> pa.Table:
    """Return some columns of a CSV file; types follow from all of a column's values.

    Raises
    ------
    DataError
        When rows differ in length, a quote is not closed, or a column is not UTF-8.
    """
    size = path.stat().st_size
    if size > LARGEST_CSV:
        what = f"{size / 2**30:.1f} GiB of CSV are too much"
        raise DataError(Fault(str(path), what, "at most 2 GiB", "convert it to Parquet"))
    _check_quotes(path)
    uneven: list[Any] = []
    table = _parse_csv(path, size, columns, uneven, threads=True)
    if uneven:  # row numbers are known only to a parser on one thread
        uneven.clear()
        _parse_csv(path, size, columns, uneven, threads=False)
        raise DataError(_uneven_fault(path, uneven))
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        if pa.types.is_binary(kind):
            raise DataError(_not_utf8(path, f"column `{name}` is not UTF-8"))
    return _with_text_as_meant(table)


def parts_of(path: Path) -> list[Path]:
    """Return a file, or the Parquet files of a directory by name; hidden ones are left out."""
    if not path.is_dir():
        return [path]
    inside = sorted(path.iterdir())
    return [part for part in inside if part.suffix.lower() in PARQUET and part.name[0] not in "._"]


def parquet_columns(path: Path) -> tuple[str, ...]:
    """Return the column names of a Parquet file, or of a directory's parts.

    Raises
    ------
    DataError
        When a file is cut off, or is not Parquet, or parts have different columns.
    """
    parts = parts_of(path)
    names = [_columns_of(part) for part in parts]
    for part, own in zip(parts, names, strict=True):
        if set(own) != set(names[0]):
            what = f"has other columns than {parts[0].name}"
            raise DataError(Fault(str(part), what, "the same columns in each part"))
    return names[0]


def _columns_of(part: Path) -> tuple[str, ...]:
    try:
        return tuple(pq.read_schema(part).names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(_broken_parquet(part)) from error


def read_parquet(path: Path, columns: Sequence[str]) -> pa.Table:
    """Return some columns of a Parquet file, or of a directory's parts one after the other.

    Raises
    ------
    DataError
        When a file is damaged, or a column holds lists or structures.
    """
    tables = [_read_part(part, columns) for part in parts_of(path)]
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables, promote_options="default")


def _read_part(part: Path, columns: Sequence[str]) -> pa.Table:
    try:
        with pq.ParquetFile(part) as file:
            # a column `a` also brings `a.b`, hence the selection
            table = file.read(columns=list(columns)).select(list(columns))
    except (pa.ArrowException, OSError) as error:
        raise DataError(_broken_parquet(part)) from error
    _check_flat(table, part)
    return table


def parquet_blocks(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield some columns of a Parquet file or of a directory's parts, `ROWS` rows at a time.

    Raises
    ------
    DataError
        As `read_parquet`.
    """
    for part in parts_of(path):
        try:
            # with pre_buffer, row groups that were read stay in memory
            with pq.ParquetFile(part, pre_buffer=False) as file:
                for batch in file.iter_batches(ROWS, columns=list(columns)):
                    table = pa.Table.from_batches([batch]).select(list(columns))
                    _check_flat(table, part)
                    yield table
        except (pa.ArrowException, OSError) as error:
            raise DataError(_broken_parquet(part)) from error


def parquet_gaps(path: Path) -> dict[str, int]:
    """Return how many values each column of a flat Parquet file misses.

    Raises
    ------
    DataError
        As `read_parquet`.
    """
    try:
        with pq.ParquetFile(path) as file:
            return {name: _gaps(file, at) for at, name in enumerate(file.schema_arrow.names)}
    except (pa.ArrowException, OSError) as error:
        raise DataError(_broken_parquet(path)) from error


def _gaps(file: pq.ParquetFile, column: int) -> int:
    groups = [file.metadata.row_group(at) for at in range(file.metadata.num_row_groups)]
    known = [group.column(column).statistics for group in groups]
    if all(each is not None and each.has_null_count for each in known):
        return sum(each.null_count for each in known)
    name = file.schema_arrow.names[column]
    return int(file.read([name]).column(name).null_count)


def _check_flat(table: pa.Table, path: Path) -> None:
    nested = [field.name for field in table.schema if pa.types.is_nested(field.type)]
    if nested:
        what = f"columns hold lists or structures: {', '.join(nested)}"
        raise DataError(Fault(str(path), what, "one value per cell"))


def _parse_csv(
    path: Path, size: int, columns: Sequence[str], uneven: list[Any], *, threads: bool
) -> pa.Table:
    def keep_in_mind(row: Any) -> str:  # noqa: ANN401 - an untyped named tuple of pyarrow
        uneven.append(row)
        return "skip"

    try:
        return arrow_csv.read_csv(
            path,
            read_options=arrow_csv.ReadOptions(block_size=size + 1, use_threads=threads),
            parse_options=arrow_csv.ParseOptions(
                newlines_in_values=True, invalid_row_handler=keep_in_mind
            ),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=list(columns), column_types={USER_ID: pa.string()}
            ),
        )
    except pa.ArrowException as error:
        # arrow quotes the row in its message, and a row is a customer's
        what = str(error).partition(":")[0]
        if "UTF8" in str(error):
            raise DataError(_not_utf8(path, f"column `{USER_ID}` is not UTF-8")) from None
        raise DataError(Fault(str(path), f"is not CSV ({what})", "UTF-8, commas")) from None


def _check_quotes(path: Path) -> None:
    """Refuse a quote that is never closed: it would swallow the rows that follow."""
    with path.open("rb") as file:
        quotes = sum(part.count(b'"') for part in iter(lambda: file.read(CHUNK_BYTES), b""))
    if quotes % 2:
        what = "a quoted value is never closed: the number of double quotes is odd"
        raise DataError(
            Fault(str(path), what, 'quotes inside of values doubled, as in "5"" pipe"')
        )


def _with_text_as_meant(table: pa.Table) -> pa.Table:
    """Read empty text as missing, and ids as integers where all are canonical integers."""
    for position, field in enumerate(table.schema):
        if not pa.types.is_string(field.type):
            continue
        text = table.column(position)
        text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
        if field.name == USER_ID and text.null_count < len(text) and _all_integers(text):
            text = text.cast(pa.int64())
        table = table.set_column(position, field.name, text)
    return table


def _all_integers(text: pa.ChunkedArray) -> bool:
    canonical = pc.match_substring_regex(text, CANONICAL_INTEGER)
    return bool(pc.all(canonical).as_py())


def _uneven_fault(path: Path, uneven: Sequence[Any]) -> Fault:
    first = ", ".join(f"line {row.number} has {row.actual_columns}" for row in uneven[:3])
    return Fault(
        str(path),
        f"{len(uneven):,} rows have another number of columns than the header: {first}",
        f"{uneven[0].expected_columns} columns",
        "quote values that hold commas",
    )


def _not_utf8(path: Path, what: str) -> Fault:
    return Fault(str(path), what, "UTF-8", 'save it as "CSV UTF-8"')


def _broken_parquet(path: Path) -> Fault:
    return Fault(
        str(path), "is damaged, cut off, or not Parquet", "a Parquet file", "write or copy it anew"
    )
