"""Tables and queries of DuckDB and SQLite files, read without a right to write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from incentive_engine import knobs
from incentive_engine.config.access.location import Kind, Location
from incentive_engine.config.access.regular import special_file
from incentive_engine.data.sources.parquet_files import ParquetPart
from incentive_engine.data.sources.snapshots import versioned_snapshot, write_rows
from incentive_engine.data.sources.sql import no_such_table, quoted, unfit_value, wrong_query
from incentive_engine.data.tables.files import LOOK, digest_file, unreadable
from incentive_engine.errors import DataError, Fault, SetupError
from incentive_engine.language import say


def database_rows(location: Location) -> ParquetPart:
    """Return the rows of a database file as local Parquet, read anew when the file has changed.

    Raises
    ------
    DataError
        When there is no such file or table, the query is wrong or would write, or rows cannot be
        read.
    SetupError
        When the library for it is not installed.
    """
    path = Path(location.address)
    try:
        special = special_file(path)
    except OSError as error:
        raise DataError(_unreadable(location, error)) from error
    if special or path.is_dir():
        what = special or "is a directory"
        raise DataError(Fault(location.where, what, "a database file", "name the file"))
    version = {
        "file": digest_file(path),
        "asked": f"{location.table} {location.query}",
        **{end: digest_file(log) for end in ("-wal", ".wal") if (log := _beside(path, end))},
    }
    write = _write_sqlite if location.kind is Kind.SQLITE else _write_duckdb
    return versioned_snapshot(location.where, version, lambda file: write(location, file))


def _beside(path: Path, end: str) -> Path | None:
    """Return the log of what was not yet written into the database, where there is one."""
    log = path.with_name(path.name + end)
    return log if log.is_file() else None


def _unreadable(location: Location, error: OSError) -> Fault:
    fault = unreadable(Path(location.address), error)
    absolute = "/" + location.shown.split(":///", 1)[1].split("?", 1)[0].lstrip("/")
    remedy = fault.remedy
    if remedy == LOOK:
        remedy = say(
            "an absolute path has four slashes: {kind}:///{absolute}",
            kind=location.kind,
            absolute=absolute,
        )
    return Fault(location.where, fault.what, "a database file", remedy)


def _write_duckdb(location: Location, file: Path) -> None:
    try:
        import duckdb
    except ImportError as error:
        remedy = "pip install 'incentive-engine[duckdb]'"
        raise SetupError(Fault("duckdb", "is not installed", remedy=remedy)) from error
    settings: Any = {"enable_external_access": False, "autoload_known_extensions": False}
    try:
        with duckdb.connect(location.address, read_only=True, config=settings) as connection:
            connection.execute("SET enable_progress_bar = false")
            blocks = _duckdb_blocks(connection, location)
            write_rows(blocks, file, where=location.where)
    except (duckdb.CatalogException, duckdb.ParserException, duckdb.BinderException) as error:
        raise DataError(wrong_query(location, _first_line(error))) from None
    except duckdb.DataError:  # its message quotes the value, and a value is a customer's
        raise DataError(unfit_value(location)) from None
    except duckdb.Error as error:
        what, expected = (
            say("DuckDB cannot read it: {reason}", reason=_first_line(error)),
            "a DuckDB database",
        )
        remedy = "close who writes to it, or write it with a DuckDB of this version"
        raise DataError(Fault(location.where, what, expected, remedy)) from None


def _duckdb_blocks(connection: Any, location: Location) -> Iterator[pa.Table]:  # noqa: ANN401 - the library has no types
    import duckdb

    statements = connection.extract_statements(_query(connection, location))
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise DataError(wrong_query(location, "it is not one statement that reads"))
    for batch in connection.sql(statements[0].query).to_arrow_reader(knobs.MEMORY.rows):
        yield pa.Table.from_batches([batch])


def _query(connection: Any, location: Location) -> str:  # noqa: ANN401 - the library has no types
    if location.table is None:
        return location.query or ""
    listed = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables "
        "WHERE table_catalog = current_database()"
    ).fetchall()
    named = {f"{schema}.{name}": (schema, name) for schema, name in listed}
    named |= {name: (schema, name) for schema, name in listed if schema == "main"}
    if location.table not in named:
        raise DataError(no_such_table(location, sorted(named)))
    return "SELECT * FROM " + ".".join(map(quoted, named[location.table]))  # noqa: S608 - quoted


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].split(": ", 1)[-1]


def _write_sqlite(location: Location, file: Path) -> None:
    try:
        url = f"file:{quote(location.address)}?mode=ro"
        with closing(sqlite3.connect(url, uri=True)) as connection:
            connection.text_factory = bytes.decode
            blocks = _sqlite_blocks(connection, location)
            write_rows(blocks, file, where=location.where)
    except UnicodeDecodeError:
        what, remedy = "text is not UTF-8", "write it anew as UTF-8"
        raise DataError(Fault(location.where, what, "UTF-8", remedy)) from None
    except sqlite3.Error as error:
        if "not authorized" in str(error) or "prohibited" in str(error):
            raise DataError(wrong_query(location, "it does not only read")) from None
        if "one statement" in str(error) or isinstance(error, sqlite3.OperationalError):
            raise DataError(wrong_query(location, str(error))) from None
        unread = say("SQLite cannot read it: {reason}", reason=error)
        raise DataError(
            Fault(location.where, unread, "a SQLite database", "write or copy it anew")
        ) from None


def _sqlite_blocks(connection: sqlite3.Connection, location: Location) -> Iterator[pa.Table]:
    connection.execute("PRAGMA query_only = 1")
    if location.table is not None:
        query = f"SELECT * FROM {quoted(_sqlite_table(connection, location))}"  # noqa: S608 - quoted
    else:
        query = (location.query or "").rstrip("; \n")
    # what a query may do
    reads = frozenset(
        {
            sqlite3.SQLITE_SELECT,
            sqlite3.SQLITE_READ,
            sqlite3.SQLITE_FUNCTION,
            sqlite3.SQLITE_RECURSIVE,
        }
    )
    connection.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_OK if action in reads else sqlite3.SQLITE_DENY
    )
    schema = _sqlite_schema(connection, query)
    cursor = connection.execute(query)
    # rows of SQLite that are objects at a time
    fetched = 50_000
    while rows := cursor.fetchmany(fetched):
        columns = zip(*rows, strict=True)
        arrays = [_array(c, field.type) for c, field in zip(columns, schema, strict=True)]
        yield pa.Table.from_arrays(arrays, schema=schema)


def _sqlite_table(connection: sqlite3.Connection, location: Location) -> str:
    listed = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    tables = [str(name) for (name,) in listed]
    if location.table not in tables:
        raise DataError(no_such_table(location, tables))
    return location.table


def _sqlite_schema(connection: sqlite3.Connection, query: str) -> pa.Schema:
    """Return the type of each column: SQLite keeps one per value, so all values are asked."""
    # on a line of its own, the bracket is no part of a comment that ends the query
    described = connection.execute(f"SELECT * FROM ({query}\n) LIMIT 0").description  # noqa: S608
    names = [str(column[0]) for column in described]
    asked = ", ".join(
        f"max(typeof(c{at}) IN ('text', 'blob')), max(typeof(c{at}) = 'real'),"
        f" max(typeof(c{at}) = 'integer')"
        for at in range(len(names))
    )
    places = ", ".join(f"c{at}" for at in range(len(names)))
    kinds_met = connection.execute(
        f"WITH asked({places}) AS ({query}\n) SELECT {asked} FROM asked"  # noqa: S608 - read only
    ).fetchone()
    kinds = [
        pa.string() if text else pa.float64() if real or not whole else pa.int64()
        for text, real, whole in zip(kinds_met[::3], kinds_met[1::3], kinds_met[2::3], strict=True)
    ]
    return pa.schema(list(zip(names, kinds, strict=True)))


def _array(column: tuple[Any, ...], kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        return pa.array([_text(value) for value in column], kind)
    if pa.types.is_floating(kind):
        return pa.array([None if value is None else float(value) for value in column], kind)
    return pa.array(column, kind)


def _text(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode()
    return None if value is None else str(value)
