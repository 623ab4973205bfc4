"""Reads a ledger without changing it: every entry, as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from incentive_engine.config.access.database_url import is_database, read_database_url
from incentive_engine.data.tables.files import atomic_file
from incentive_engine.errors import ConfigError, DataError, Fault
from incentive_engine.live.ledger.clock import moment_text
from incentive_engine.live.ledger.records import Names
from incentive_engine.live.ledger.stores.sqlite_store import connect_read_only
from incentive_engine.live.ledger.stores.sqlite_store import copy as copy_file

SCHEMA: Final = pa.schema(
    {
        "seq": pa.int64(),
        "at": pa.timestamp("us", tz="UTC"),
        "decision_id": pa.string(),
        "user_id": pa.string(),
        "offer_id": pa.string(),
        "state": pa.string(),
        "scene": pa.string(),
        "cost_micros": pa.int64(),
        "face_micros": pa.int64(),
        "amount_micros": pa.int64(),
        "propensity": pa.float64(),
        "prices_version": pa.int64(),
    }
)


def entries(ledger: str) -> Iterator[list[tuple[Any, ...]]]:
    """Yield a ledger's entries in order, some at a time, as rows of `SCHEMA`.

    Raises
    ------
    DataError
        When there is no ledger, or it cannot be read.
    """
    with closing(open_for_reading(ledger)) as database:
        cursor = database.cursor()
        cursor.execute("SELECT content FROM meta WHERE name = 'secret'")
        names = Names(bytes.fromhex(cursor.fetchone()[0]))
        query = (
            "SELECT e.seq, e.at, e.decision, d.user_id, d.offer_id, e.state, d.scene, d.cost, "
            "d.face, e.amount, d.propensity, d.prices_version "
            "FROM entries e JOIN decisions d ON d.seq = e.decision ORDER BY e.seq"
        )
        cursor.execute(query)
        # entries that are held at a time
        while rows := cursor.fetchmany(1 << 16):
            yield [(seq, at, names.of(decision), *rest) for seq, at, decision, *rest in rows]


def decisions(ledger: str) -> tuple[str, list[tuple[Any, ...]]]:
    """Return the digest of a ledger's run, and what was decided on each user, in order.

    Raises
    ------
    DataError
        When there is no ledger, or it cannot be read.
    """
    with closing(open_for_reading(ledger)) as database:
        cursor = database.cursor()
        cursor.execute("SELECT content FROM meta WHERE name = 'run'")
        run = str(cursor.fetchone()[0])
        query = (
            "SELECT user_id, offer_id, reason, state, amount, decided_at, propensity "
            "FROM decisions ORDER BY seq"
        )
        cursor.execute(query)
        return run, cursor.fetchall()


def copy_ledger(ledger: str, to: Path) -> None:
    """Write a consistent copy of a ledger's file, also while a server writes it.

    Raises
    ------
    ConfigError
        When the ledger is no file.
    DataError
        When there is no ledger, or something stands at `to` already.
    """
    if is_database(ledger, where="LEDGER"):
        what, remedy = "copies the file of a ledger", "copy a database with pg_dump"
        raise ConfigError(Fault("--copy", what, "a ledger in a file", remedy))
    copy_file(Path(ledger), to)


def write_entries(ledger: str, out: Path) -> int:
    """Write every entry to a Parquet or CSV file, and return their number.

    Raises
    ------
    ConfigError
        When the file is to be of another kind.
    DataError
        When the ledger cannot be read, or the file not be written.
    """
    suffix = out.suffix.lower()
    if suffix not in {".parquet", ".csv"}:
        raise ConfigError(Fault(f"--out {out}", "is of no known kind", ".parquet or .csv"))
    with atomic_file(out) as partial:
        return (_write_csv if suffix == ".csv" else _write_parquet)(ledger, partial)


def _write_csv(ledger: str, path: Path) -> int:
    number = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(csv_text([]))
        for rows in entries(ledger):
            number += len(rows)
            stream.write(csv_text(rows, names=False))
    return number


def _write_parquet(ledger: str, path: Path) -> int:
    number = 0
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for rows in entries(ledger):
            number += len(rows)
            columns = [
                pa.array(column, kind)
                for column, kind in zip(zip(*rows, strict=True), SCHEMA.types, strict=True)
            ]
            writer.write_table(pa.table(columns, schema=SCHEMA))
    return number


def csv_text(entries: list[tuple[Any, ...]], *, names: bool = True) -> str:
    """Return entries as CSV, after a line of names where that is wanted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if names:
        writer.writerow(SCHEMA.names)
    writer.writerows((seq, moment_text(at), *rest) for seq, at, *rest in entries)
    return text.getvalue()


def open_for_reading(ledger: str) -> Any:  # noqa: ANN401 - either library's
    """Return a connection that sees a ledger as it is now, and cannot change it.

    Raises
    ------
    DataError
        When there is no ledger, or it cannot be read.
    """
    if not is_database(ledger, where="--ledger"):
        file = connect_read_only(Path(ledger))
        try:
            file.execute("SELECT 1 FROM entries LIMIT 1")
        except Exception as error:
            file.close()
            raise DataError(Fault(ledger, "is no ledger", "what `serve` has written")) from error
        return file
    import psycopg

    from incentive_engine.live.ledger.stores.postgres_connection import told
    from incentive_engine.live.ledger.stores.postgres_store import PostgresStore

    place = read_database_url(ledger, where="LEDGER")
    with told(place.shown):
        parameters: dict[str, Any] = dict(place.parameters)
        database = psycopg.connect(**parameters)
        database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        database.execute(f"SET search_path TO {PostgresStore.SCHEMA}")
        return database
