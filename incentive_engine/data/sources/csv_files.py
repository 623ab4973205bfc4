"""CSV as arrow tables, with errors that say what to mend."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from incentive_engine import knobs
from incentive_engine.domain import USER_ID
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say

LARGEST_CSV: Final = 2**31 - 2
"""Bytes; a CSV file is parsed as one block, so that all of a column decides on its type."""


def csv_columns(path: Path, *, where: str) -> tuple[str, ...]:
    """Return the column names of a CSV file.

    Raises
    ------
    DataError
        When the header is not UTF-8, not separated by commas, or lines end in a way that no
        reader of CSV expects.
    """
    header_bytes = 1_000_000
    with path.open("rb") as file:
        # a bound, since a file without a newline is one line however large it is
        header = file.readline(header_bytes)
    if header.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in header:
        raise DataError(_not_utf8(where, "the file is in UTF-16 or binary"))
    # what stays inside once the line's own end is taken off
    if b"\r" in header.rstrip(b"\r\n"):
        what, expected = "lines end with a carriage return alone", "lines that end with a newline"
        remedy = 'save it as "CSV UTF-8", not as CSV of an old Macintosh'
        raise DataError(Fault(where, what, expected, remedy))
    if len(header) == header_bytes:
        long = say("the first line has more than {bound:,} bytes", bound=header_bytes)
        raise DataError(Fault(where, long, "a header", "write the columns' names first"))
    try:
        line = header.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError:
        raise DataError(_not_utf8(where, "the header is not UTF-8")) from None
    names = next(csv.reader([line]), [])
    if len(names) == 1 and (other := next((c for c in ";\t|" if c in names[0]), None)):
        parted = say("the header is separated by {other}", other=repr(other))
        raise DataError(Fault(where, parted, "columns separated by commas", "save it with commas"))
    return tuple(names)


def read_csv(path: Path, columns: Sequence[str], *, where: str, ids: str = USER_ID) -> pa.Table:
    """Return some columns of a CSV file; types follow from all of a column's values.

    Parameters
    ----------
    ids
        The column of users' ids, whose leading zeros count.

    Raises
    ------
    DataError
        When rows differ in length, a quote is not closed, or a column is not UTF-8.
    """
    size = path.stat().st_size
    if size > LARGEST_CSV:
        what = say("{size:.1f} GiB of CSV are too much", size=size / 2**30)
        raise DataError(Fault(where, what, "at most 2 GiB", "convert it to Parquet"))
    _check_quotes(path, where)
    return _Parser(where=where, columns=columns, ids=ids).read(path, size)


def csv_head(
    path: Path, columns: Sequence[str], rows: int, *, where: str, ids: str = USER_ID
) -> pa.Table:
    """Return the first rows of a CSV file, at most; types follow from these rows alone.

    Raises
    ------
    DataError
        As `read_csv`, by these rows.
    """
    with path.open("rb") as file:
        content = file.read(knobs.MEMORY.head)
    # the last row may be cut in the middle, and would count as uneven
    if len(content) == knobs.MEMORY.head:
        content = content[: last_row_end(content)]
    parser = _Parser(where=where, columns=columns, ids=ids)
    return parser.read(content, len(content)).slice(0, rows)


def last_row_end(content: bytes) -> int:
    """Return where the last whole row ends: at a newline behind an even number of quotes."""
    end = content.rfind(b"\n") + 1
    while end and content.count(b'"', 0, end) % 2:
        end = content.rfind(b"\n", 0, end - 1) + 1
    return end


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parser:
    """What is to be read of a CSV file."""

    where: str
    columns: Sequence[str]
    ids: str

    def read(self, content: Path | bytes, size: int) -> pa.Table:
        uneven: list[Any] = []
        table = self._parse(content, size, uneven, threads=True)
        if uneven:  # row numbers are known only to a parser on one thread
            uneven.clear()
            self._parse(content, size, uneven, threads=False)
            raise DataError(_uneven_fault(self.where, uneven))
        for name, kind in zip(table.column_names, table.schema.types, strict=True):
            if pa.types.is_binary(kind):
                raise DataError(_not_utf8(self.where, f"column `{name}` is not UTF-8"))
        return _with_text_as_meant(table, self.ids)

    def _parse(
        self, content: Path | bytes, size: int, uneven: list[Any], *, threads: bool
    ) -> pa.Table:
        def keep_in_mind(row: Any) -> str:  # noqa: ANN401 - an untyped named tuple of pyarrow
            uneven.append(row)
            return "skip"

        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(content) if isinstance(content, bytes) else content,
                # one block: of several, arrow would let the first decide on the types
                read_options=arrow_csv.ReadOptions(block_size=size + 1, use_threads=threads),
                parse_options=arrow_csv.ParseOptions(
                    newlines_in_values=True, invalid_row_handler=keep_in_mind
                ),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=list(self.columns), column_types={self.ids: pa.string()}
                ),
            )
            return table.select(list(self.columns))  # all, if none is asked for
        except pa.ArrowException as error:
            # arrow quotes the row in its message, and a row is a customer's
            what = str(error).partition(":")[0]
            if "UTF8" in str(error):
                raise DataError(
                    _not_utf8(self.where, f"column `{self.ids}` is not UTF-8")
                ) from None
            remedy = 'save it as "CSV UTF-8", or write it as Parquet'
            raise DataError(
                Fault(self.where, say("is not CSV ({what})", what=what), "UTF-8, commas", remedy)
            ) from None


def _check_quotes(path: Path, where: str) -> None:
    """Refuse a quote that is never closed: it would swallow the rows that follow."""
    with path.open("rb") as file:
        quotes = sum(chunk.count(b'"') for chunk in iter(lambda: file.read(1 << 22), b""))
    if quotes % 2:
        what = "a quoted value is never closed: the number of double quotes is odd"
        expected = 'quotes inside of values doubled, as in "5"" pipe"'
        raise DataError(Fault(where, what, expected, "close it"))


def _with_text_as_meant(table: pa.Table, ids: str) -> pa.Table:
    """Read empty text as missing, and ids as integers where all are canonical integers."""
    for position, field in enumerate(table.schema):
        if not pa.types.is_string(field.type):
            continue
        text = table.column(position)
        text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
        if field.name == ids and text.null_count < len(text) and _all_integers(text):
            text = text.cast(pa.int64())
        table = table.set_column(position, field.name, text)
    return table


def _all_integers(text: pa.ChunkedArray) -> bool:
    # an id that survives the way to an integer and back; one with a leading zero does not
    canonical = pc.match_substring_regex(text, r"^(0|-?[1-9][0-9]{0,17})$")
    return bool(pc.all(canonical).as_py())


def _uneven_fault(where: str, uneven: Sequence[Any]) -> Fault:
    first = ", ".join(f"line {row.number} has {row.actual_columns}" for row in uneven[:3])
    return Fault(
        where,
        say(
            "{count:,} rows have another number of columns than the header: {first}",
            count=len(uneven),
            first=first,
        ),
        say("{columns} columns", columns=uneven[0].expected_columns),
        "quote values that hold commas",
    )


def _not_utf8(where: str, what: str) -> Fault:
    return Fault(where, what, "UTF-8", 'save it as "CSV UTF-8"')
