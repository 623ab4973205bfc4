"""Takes offers into a PostgreSQL table; needs the extra `postgres`.

One transaction: COPY into a temporary table, then an upsert by campaign and user. So a reader sees
all of an export or nothing, a lost connection changes nothing, and a second run changes no row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from incentive_engine.config.access.database_url import DatabaseUrl, read_database_url
from incentive_engine.errors import ConfigError, DataError, Fault
from incentive_engine.export.export import Exported, ExportOptions, check_key, refuse_unverified
from incentive_engine.export.formats import ConstantColumn, Sheet
from incentive_engine.export.rows import OfferRows, Wanted
from incentive_engine.export.selection import Selected, select
from incentive_engine.export.writers import text_block
from incentive_engine.language import say
from incentive_engine.run.finished import FinishedRun
from incentive_engine.verify.result import Verification


def export_to_postgres(
    run: FinishedRun,
    url: str,
    *,
    verification: Verification,
    options: ExportOptions,
    table: str,
    prune: bool,
) -> Exported:
    """Bring a campaign's rows of a table in line with the offers of a run.

    Parameters
    ----------
    table
        ``name`` or ``schema.name``; made when it is not there.
    prune
        Also remove the campaign's rows that come from other runs.

    Raises
    ------
    VerificationError
        When the verification failed, or is another run's.
    ConfigError
        When the URL cannot be understood; no part of a secret is repeated.
    DataError
        When the server cannot be reached, says no, or goes away; the table is then as it was.
    """
    refuse_unverified(run, verification)
    database = read_database_url(url, where="--to")
    check_key(options, codes=False)
    if options.preset is not None:
        raise ConfigError(Fault("--preset", "a table has one form", remedy="leave it out"))
    selected = options.narrow(select(run, options.filters))
    rows = OfferRows(
        selected,
        Wanted(columns=frozenset(), as_text=True, key=options.key, hash_ids=options.hash_ids),
    )
    with _connected(database) as connection:
        target = _Target(connection, table, selected)
        target.prepare()
        target.stage(rows)
        changed = target.upsert()
        stale = target.stale(prune=prune)
    removed = "removed" if prune else "hold offers of other runs; --prune removes them"
    notes = [f"{changed:,} rows of {table} are new or changed"]
    notes += [f"{stale:,} rows of `{run.policy.name}` {removed}"] if stale else []
    return Exported(
        rows=selected.total,
        target=database.shown,
        manifest=None,
        is_new=bool(changed or (prune and stale)),
        notes=tuple(notes),
    )


class _Target:
    """The table of one transaction."""

    KEY: ClassVar = ("campaign", "user_id")

    COLUMNS: ClassVar = {
        "campaign": "text",
        "user_id": "text",
        "offer_id": "text",
        "face_value": "numeric",
        "cost": "numeric",
        "valid_from": "timestamptz",
        "valid_to": "timestamptz",
        "run": "text",
    }
    """Column to type; `run` is the digest of the run that a row comes from."""

    def __init__(self, connection: Any, table: str, selected: Selected) -> None:  # noqa: ANN401 - the library is optional
        from psycopg import sql

        self._run = connection.execute
        self._cursor = connection.cursor
        self._table = table
        self._policy = selected.run.policy
        self._digest = selected.run.digest
        staged = "incentive_staged"
        self._names = {
            "table": sql.Identifier(*table.split(".")),
            "staged": sql.Identifier(staged),
            "columns": sql.SQL(", ").join(map(sql.Identifier, self.COLUMNS)),
            "key": sql.SQL(", ").join(map(sql.Identifier, self.KEY)),
        }

    def prepare(self) -> None:
        """Make the table, or see that the one that is there will do."""
        campaign = self._policy.name
        lock = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
        if not self._run(lock, [f"incentive {self._table} {campaign}"]).fetchone()[0]:
            what = say(
                "another process is exporting `{campaign}` to {table}",
                campaign=campaign,
                table=self._table,
            )
            raise DataError(Fault(self._table, what, remedy="wait until it is done"))
        kinds = ", ".join(f"{name} {kind}" for name, kind in self.COLUMNS.items())
        needed = kinds.replace(" text", " text NOT NULL")
        self._execute(f"CREATE TABLE IF NOT EXISTS {{table}} ({needed}, PRIMARY KEY ({{key}}))")
        self._check_shape()
        self._execute(f"CREATE TEMPORARY TABLE {{staged}} ({kinds}) ON COMMIT DROP")

    def stage(self, rows: OfferRows) -> None:
        """Copy all rows beside the table."""
        own = {"campaign": ConstantColumn(self._policy.name), "run": ConstantColumn(self._digest)}
        columns = tuple((name, own.get(name, name)) for name in self.COLUMNS)
        sheet = Sheet(name=self._table, columns=columns, kind="text")
        statement = self._composed("COPY {staged} ({columns}) FROM STDIN (FORMAT csv)")
        with self._cursor() as cursor, cursor.copy(statement) as copy:
            for batch in rows.batches():
                copy.write(bytes(text_block(batch, sheet)))

    def upsert(self) -> int:
        """Bring the staged rows into the table; return how many rows are new or changed."""
        values = [name for name in self.COLUMNS if name not in self.KEY]
        assign = ", ".join(f"{name} = excluded.{name}" for name in values)
        old = ", ".join(f"present.{name}" for name in values)
        new = ", ".join(f"excluded.{name}" for name in values)
        done = self._execute(
            "INSERT INTO {table} AS present ({columns}) SELECT {columns} FROM {staged} "  # noqa: S608 - every name in it is ours
            f"ON CONFLICT ({{key}}) DO UPDATE SET {assign} WHERE ({old}) IS DISTINCT FROM ({new})"
        )
        return int(done.rowcount)

    def stale(self, *, prune: bool) -> int:
        """Count, or remove, the campaign's rows of other runs."""
        which = "FROM {table} WHERE campaign = %s AND run <> %s"
        values = [self._policy.name, self._digest]
        if prune:
            return int(self._execute(f"DELETE {which}", values).rowcount)
        return int(self._execute(f"SELECT count(*) {which}", values).fetchone()[0])

    def _check_shape(self) -> None:
        """Refuse a table that cannot take the rows, with all that is in the way."""
        columns = self._execute(
            "SELECT attname, typname, attnotnull AND NOT atthasdef FROM pg_attribute "
            "JOIN pg_type ON pg_type.oid = atttypid "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            [self._composed("{table}").as_string()],
        ).fetchall()
        kinds = {
            name: {"varchar": "text", "bpchar": "text"}.get(kind, kind)
            for name, kind, _ in columns
        }
        problems = [
            f"column {name} is {kinds.get(name, 'missing')}, expected {kind}"
            for name, kind in self.COLUMNS.items()
            if kinds.get(name) != kind
        ]
        problems += [
            f"column {name} must be filled, and an export does not know it"
            for name, _, is_needed in columns
            if is_needed and name not in self.COLUMNS
        ]
        if not self._has_key():
            problems.append(f"no unique index on exactly {', '.join(self.KEY)}")
        if problems:
            remedy = "name another table with --table, or change this one"
            raise DataError(*(Fault(self._table, what, remedy=remedy) for what in problems))

    def _has_key(self) -> bool:
        indexes = self._execute(
            "SELECT array_agg(attname::text ORDER BY attname) FROM pg_index "
            "JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey) "
            "WHERE indrelid = %s::regclass AND indisunique AND indpred IS NULL "
            "GROUP BY indexrelid",
            [self._composed("{table}").as_string()],
        ).fetchall()
        return any(columns == sorted(self.KEY) for (columns,) in indexes)

    def _execute(self, statement: str, values: list[Any] | None = None) -> Any:  # noqa: ANN401 - a cursor
        return self._run(self._composed(statement), values)

    def _composed(self, statement: str) -> Any:  # noqa: ANN401 - SQL of the library
        from psycopg import sql

        return sql.SQL(statement).format(**self._names)


@contextmanager
def _connected(database: DatabaseUrl) -> Iterator[Any]:
    """Yield a connection whose transaction is committed at the end, or undone."""
    import psycopg

    where = database.shown
    # seconds until a server that does not answer is given up
    wait = 10
    parameters: dict[str, Any] = {"connect_timeout": wait, **database.parameters}
    try:
        with psycopg.connect(**parameters) as connection:
            yield connection
    except psycopg.OperationalError as error:
        what = say("the server does not answer, or went away: {reason}", reason=_first_line(error))
        remedy = "the table is as it was before; export again, no row is written twice"
        raise DataError(Fault(where, what, remedy=remedy)) from error
    except psycopg.Error as error:
        remedy = "the table is as it was before"
        raise DataError(Fault(where, _first_line(error), remedy=remedy)) from error


def _first_line(error: Any) -> str:  # noqa: ANN401 - an error of the library
    """Return what the server says first; what follows may quote a customer's row."""
    return (error.diag.message_primary or str(error)).strip().splitlines()[0]
