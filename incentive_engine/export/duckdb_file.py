"""Writes a DuckDB database; needs the extra `duckdb`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from incentive_engine.errors import DataError, Fault, SetupError
from incentive_engine.export.sheets import Sheet
from incentive_engine.language import say


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
