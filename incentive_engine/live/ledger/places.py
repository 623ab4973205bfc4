"""Where a ledger is: a file, or a database that several servers share."""

from __future__ import annotations

import secrets
from pathlib import Path

from incentive_engine.config.access.database_url import is_database, read_database_url
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.live.ledger.store import Store, Terms


def ledger_of(run_dir: Path) -> str:
    """Return where a run's ledger is when nobody says: beside it.

    >>> ledger_of(Path("runs/spring"))
    'runs/spring.ledger'
    """
    return str(run_dir.with_name(f"{run_dir.resolve().name}.ledger"))


def shown_place(place: str) -> str:
    """Return where a ledger is as messages name it: a URL without its password.

    Raises
    ------
    ConfigError
        When it is a URL that cannot be understood.

    >>> shown_place("postgresql://me:secret@db/pool"), shown_place("runs/spring.ledger")
    ('postgresql://me@db/pool', 'runs/spring.ledger')
    """
    if is_database(place, where="--ledger"):
        return read_database_url(place, where="--ledger").shown
    return place


def open_store(place: str, terms: Terms) -> Store:
    """Return the store that a path or a URL names, for a run; made where it is missing.

    Raises
    ------
    DataError
        When it cannot be opened, or belongs to another run.
    """
    secret = secrets.token_bytes(16)
    if is_database(place, where="--ledger"):
        from incentive_engine.live.ledger.postgres_store import PostgresStore

        return PostgresStore(place, terms, secret=secret)
    try:
        is_folder = Path(place).is_dir()
    except OSError as error:  # such as a name that is too long
        what = say("cannot be opened: {reason}", reason=error)
        raise DataError(Fault(place, what, "a ledger's file")) from None
    if is_folder:
        remedy = "name a file in it"
        raise DataError(Fault(place or ".", "is a directory", "a ledger's file", remedy=remedy))
    from incentive_engine.live.ledger.sqlite_store import SQLiteStore

    return SQLiteStore(Path(place), terms, secret=secret)
