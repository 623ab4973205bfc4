"""Writes the rows of one part into an open file, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incentive_engine.errors import DataError, Fault, SetupError
from incentive_engine.export.formats import ConstantColumn, Dialect, Sheet
from incentive_engine.language import say


class PartWriter(Protocol):
    """Takes batches in order; the file is complete once it is closed."""

    def __init__(self, path: Path, sheet: Sheet, schema: pa.Schema) -> None:
        """Begin a new file."""

    def write(self, rows: pa.RecordBatch) -> None:
        """Append rows."""

    def close(self) -> None:
        """Write what is held back."""

    def abandon(self) -> None:
        """Let go of what is held back, after an error."""


class TextWriter:
    """CSV, made column by column: a batch becomes one block of bytes."""

    def __init__(self, path: Path, sheet: Sheet, schema: pa.Schema) -> None:
        del schema
        self._file = path.open("wb")
        self._sheet = sheet
        head = ",".join(f'"{name}"' for name, _ in sheet.columns) + "\n"
        mark = b"\xef\xbb\xbf" if sheet.dialect.byte_order_mark else b""
        self._file.write(mark + head.encode())

    def write(self, rows: pa.RecordBatch) -> None:
        """Append rows."""
        self._file.write(text_block(rows, self._sheet))

    def close(self) -> None:
        """Write the rest."""
        self._file.close()

    def abandon(self) -> None:
        """Close without caring whether it works: the file is about to vanish."""
        with suppress(OSError):
            self._file.close()


class ParquetWriter:
    """Parquet, with row groups of one size, so that the bytes do not depend on the batches."""

    ROW_GROUP: ClassVar = 1 << 17
    """Rows of a Parquet row group; another number changes the bytes of every export."""

    def __init__(self, path: Path, sheet: Sheet, schema: pa.Schema) -> None:
        kinds = [(name, schema.field(str(source)).type) for name, source in sheet.columns]
        self._columns = [str(source) for _, source in sheet.columns]
        self._schema = pa.schema(kinds)
        self._file = path.open("wb")
        self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd")
        self._held: list[pa.RecordBatch] = []

    def write(self, rows: pa.RecordBatch) -> None:
        """Append rows."""
        chosen = [rows.column(name) for name in self._columns]
        self._held.append(pa.RecordBatch.from_arrays(chosen, schema=self._schema))
        waiting = sum(batch.num_rows for batch in self._held)
        if waiting >= self.ROW_GROUP:
            whole = waiting - waiting % self.ROW_GROUP
            table = pa.Table.from_batches(self._held)
            self._writer.write_table(table.slice(0, whole), row_group_size=self.ROW_GROUP)
            self._held = table.slice(whole).combine_chunks().to_batches()

    def close(self) -> None:
        """Write the rest and the footer."""
        if self._held:
            self._writer.write_table(
                pa.Table.from_batches(self._held), row_group_size=self.ROW_GROUP
            )
        self._writer.close()
        self._file.close()

    def abandon(self) -> None:
        """Close without caring whether it works: the file is about to vanish."""
        with suppress(OSError, pa.ArrowException):
            self._writer.close()
        with suppress(OSError):
            self._file.close()


def text_block(rows: pa.RecordBatch, sheet: Sheet) -> memoryview:
    """Return rows as lines of CSV, UTF-8."""
    pieces: list[Any] = []
    for _, source in sheet.columns:
        pieces += [pa.scalar(",")] if pieces else []
        if isinstance(source, ConstantColumn):
            pieces.append(pa.scalar('"' + _escaped(source.text, sheet.dialect) + '"'))
        else:
            column = rows.column(source)
            if sheet.dialect.excel_safe and pa.types.is_string(column.type):
                # columns whose cells Excel must take for text, all of them alike
                column = _as_text_in_excel(column, always=source in {"user_id", "offer_id"})
            pieces += _cells(column, sheet.dialect)
    lines = pc.binary_join_element_wise(*_spread(pieces, rows.num_rows), pa.scalar("\n"), "")
    _, offsets, data = lines.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)
    first, last = int(ends[lines.offset]), int(ends[lines.offset + len(lines)])
    return memoryview(data)[first:last]


def _spread(pieces: list[Any], n_rows: int) -> list[Any]:
    """Make sure that at least one piece has the length of the rows."""
    if any(isinstance(piece, pa.Array) for piece in pieces):
        return pieces
    return [pa.array([""] * n_rows, pa.string()), *pieces]


def _cells(column: pa.Array, dialect: Dialect) -> list[Any]:
    """Return the pieces that a column's cells are joined from."""
    is_text = pa.types.is_string(column.type)
    text = column if is_text else column.cast(pa.string())
    if is_text:
        text = _escaped_column(text, dialect)
    if not is_text and not dialect.quote_all:
        return [text.fill_null("")]
    if dialect.quote_all or not column.null_count:
        return [pa.scalar('"'), text.fill_null(""), pa.scalar('"')]
    quotes = pc.if_else(column.is_valid(), '"', "")
    return [quotes, text.fill_null(""), quotes]


def _as_text_in_excel(column: pa.Array, *, always: bool) -> pa.Array:
    marked = pc.binary_join_element_wise(pa.scalar("'"), column, "")
    if always:
        return marked
    # what Excel takes for a formula, or hides before one
    formula = r"^[=+\-@\t\r]"
    return pc.if_else(pc.match_substring_regex(column, formula), marked, column)


def _escaped_column(text: pa.Array, dialect: Dialect) -> pa.Array:
    if dialect.escape == "double":
        return pc.replace_substring(text, '"', '""')
    return pc.replace_substring(pc.replace_substring(text, "\\", "\\\\"), '"', '\\"')


def _escaped(text: str, dialect: Dialect) -> str:
    escaped: str = _escaped_column(pa.array([text]), dialect)[0].as_py()
    return escaped


class DuckDBWriter:
    """One table, filled batch by batch in one transaction."""

    TABLE: ClassVar = "offers"

    def __init__(self, path: Path, sheet: Sheet, schema: pa.Schema) -> None:
        self._path = path
        self._columns = [str(source) for _, source in sheet.columns]
        with self._said_in_words():
            self._connection = _library().connect(str(path), config={"threads": 1})
        kinds = ", ".join(
            f'"{name}" {_type(schema.field(str(source)).type)}' for name, source in sheet.columns
        )
        self._run("SET enable_progress_bar = false")  # it would go to standard output
        self._run(f"CREATE TABLE {self.TABLE} ({kinds})")
        self._run("BEGIN")

    def write(self, rows: pa.RecordBatch) -> None:
        """Append rows."""
        self._connection.register("batch", pa.Table.from_batches([rows.select(self._columns)]))
        self._run(f"INSERT INTO {self.TABLE} SELECT * FROM batch")  # noqa: S608 - our own names
        self._connection.unregister("batch")

    def close(self) -> None:
        """Commit and write everything into the one file."""
        self._run("COMMIT")
        self._run("CHECKPOINT")
        self._connection.close()

    def abandon(self) -> None:
        """Let go of the file, which is about to vanish."""
        self._connection.close()
        self._path.with_name(f"{self._path.name}.wal").unlink(missing_ok=True)

    def _run(self, statement: str) -> None:
        with self._said_in_words():
            self._connection.execute(statement)

    @contextmanager
    def _said_in_words(self) -> Iterator[None]:
        try:
            yield
        except _library().Error as error:
            what = say("DuckDB cannot write: {reason}", reason=str(error).splitlines()[0])
            raise DataError(
                Fault(
                    str(self._path.parent),
                    what,
                    remedy="see that nobody has it open, or name another file",
                )
            ) from error


def _type(kind: pa.DataType) -> str:
    # Arrow type to DuckDB's; integers are BIGINT, the rest is VARCHAR
    others = {"decimal128(38, 6)": "DECIMAL(18, 6)", "timestamp[us, tz=UTC]": "TIMESTAMPTZ"}
    return "BIGINT" if pa.types.is_integer(kind) else others.get(str(kind), "VARCHAR")


def _library() -> Any:  # noqa: ANN401 - a module
    try:
        import duckdb
    except ImportError as error:
        remedy = "pip install 'incentive-engine[duckdb]'"
        raise SetupError(Fault("duckdb", "is not installed", remedy=remedy)) from error
    return duckdb
