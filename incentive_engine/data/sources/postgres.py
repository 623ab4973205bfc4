"""Tables and queries of a PostgreSQL server, read in one transaction that cannot write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv

from incentive_engine.config.access.database_url import read_database_url
from incentive_engine.config.access.location import Location
from incentive_engine.data.sources.csv_files import last_row_end
from incentive_engine.data.sources.parquet_files import ParquetPart
from incentive_engine.data.sources.snapshots import fresh_snapshot, write_rows
from incentive_engine.data.sources.sql import no_such_table, quoted, unfit_value, wrong_query
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say


def server_rows(location: Location) -> ParquetPart:
    """Return the rows of a table or a query as local Parquet.

    Raises
    ------
    ConfigError, DataError
        When the server cannot be reached or says no, there is no such table, or the query is
        wrong or would write.
    SetupError
        When the library for it is not installed.
    """
    return fresh_snapshot(location.where, lambda file: _write(location, file))


def _write(location: Location, file: Path) -> None:
    url = read_database_url(location.address, where=location.where)
    import psycopg

    # seconds until a server that does not answer is given up
    wait = 10
    parameters: dict[str, Any] = {"connect_timeout": wait, **url.parameters}
    secret = str(parameters.get("password") or "")
    try:
        with psycopg.connect(**parameters) as connection:
            # so that the same rows come in the same words and order each time
            for setting in (
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                "SET LOCAL TimeZone = 'UTC'",
                "SET LOCAL DateStyle = 'ISO'",
                "SET LOCAL IntervalStyle = 'iso_8601'",
                "SET LOCAL extra_float_digits = 1",
                "SET LOCAL synchronize_seqscans = off",
            ):
                connection.execute(setting)
            write_rows(_blocks(connection, location), file, where=location.where)
            connection.rollback()  # what a function did in spite of all goes with it
    except psycopg.errors.ReadOnlySqlTransaction:
        raise DataError(wrong_query(location, "it does not only read")) from None
    except psycopg.DataError:  # its message quotes the value, and a value is a customer's
        raise DataError(unfit_value(location)) from None
    except psycopg.errors.InsufficientPrivilege as error:
        what = say("the server refuses: {reason}", reason=_said(error, secret))
        raise DataError(Fault(location.where, what, remedy="ask its owner for access")) from None
    except psycopg.ProgrammingError as error:
        raise DataError(wrong_query(location, _said(error, secret))) from None
    except psycopg.OperationalError as error:
        what = say(
            "the server does not answer, or went away: {reason}", reason=_said(error, secret)
        )
        remedy = "check host, port, database, user and password (PGPASSWORD, ~/.pgpass)"
        raise DataError(Fault(location.where, what, "a server", remedy)) from None
    except psycopg.Error as error:
        what = say("the server refuses: {reason}", reason=_said(error, secret))
        raise DataError(Fault(location.where, what, "rows that can be read")) from None


def _said(error: Any, secret: str) -> str:  # noqa: ANN401 - an error of the library
    """Return what the server says first; what follows may quote a customer's row."""
    line = (error.diag.message_primary or str(error)).strip().splitlines()[0]
    return line.replace(secret, "…") if secret else line


def _blocks(connection: Any, location: Location) -> Iterator[pa.Table]:  # noqa: ANN401 - the library is optional
    query = _query(connection, location)
    # on a line of its own, the bracket is no part of a comment that ends the query
    asked = f"SELECT * FROM ({query}\n) AS asked"  # noqa: S608 - read only
    described = connection.execute(f"{asked} LIMIT 0").description
    # PostgreSQL's number of a type to arrow's; every other is text
    types = {
        16: pa.bool_(),
        20: pa.int64(),
        21: pa.int64(),
        23: pa.int64(),
        26: pa.int64(),
        700: pa.float64(),
        701: pa.float64(),
        1700: pa.float64(),
        1082: pa.date32(),
        1114: pa.timestamp("us"),
        1184: pa.timestamp("us", tz="UTC"),
    }
    kinds = [types.get(column.type_code, pa.string()) for column in described]
    schema = pa.schema(
        [(column.name, kind) for column, kind in zip(described, kinds, strict=True)]
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({asked}) TO STDOUT (FORMAT csv)") as rows,
    ):
        for text in _pieces(rows):
            yield _parsed(text, schema, location)


def _query(connection: Any, location: Location) -> str:  # noqa: ANN401 - the library is optional
    if location.table is None:
        return (location.query or "").strip().rstrip(";")
    listed = connection.execute(
        "SELECT table_schema, table_name, table_schema = ANY (current_schemas(false)) "
        "FROM information_schema.tables"
    ).fetchall()
    named = {f"{schema}.{name}": (schema, name) for schema, name, _ in listed}
    named |= {name: (schema, name) for schema, name, is_near in listed if is_near}
    if location.table not in named:
        system = ("pg_", "information_schema")
        own = [name for name, (schema, _) in named.items() if not schema.startswith(system)]
        raise DataError(no_such_table(location, own))
    return "SELECT * FROM " + ".".join(map(quoted, named[location.table]))  # noqa: S608 - quoted


def _pieces(rows: Any) -> Iterator[bytes]:  # noqa: ANN401 - a copy of the library
    """Yield the text of whole rows, some megabytes at a time."""
    waiting: list[bytes] = []
    size = 0
    # text that is parsed at a time
    block_bytes = 1 << 24
    for piece in rows:
        waiting.append(bytes(piece))
        size += len(waiting[-1])
        if size >= block_bytes:
            text = b"".join(waiting)
            end = last_row_end(text)
            if end:
                yield text[:end]
            waiting, size = [text[end:]], len(text) - end
    if size:
        yield b"".join(waiting)


def _parsed(text: bytes, schema: pa.Schema, location: Location) -> pa.Table:
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(text),
            read_options=arrow_csv.ReadOptions(
                column_names=schema.names, block_size=len(text) + 1
            ),
            # of a query with one column, an empty line is a row whose value is missing
            parse_options=arrow_csv.ParseOptions(
                newlines_in_values=True, ignore_empty_lines=False
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=schema,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )
    except pa.ArrowException:  # it quotes the row, and a row is a customer's
        what = "a value cannot be read, such as an infinite date"
        remedy = "cast it with query=SELECT …"
        raise DataError(Fault(location.where, what, "finite values", remedy)) from None
