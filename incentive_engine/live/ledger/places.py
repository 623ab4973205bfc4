"""Where a ledger is: a file, or a database that several servers share."""

from __future__ import annotations

import secrets
from pathlib import Path

from incentive_engine.config.access.database_url import SCHEMES
from incentive_engine.live.ledger.store import Store, Terms


def ledger_of(run_dir: Path) -> str:
    """Return where a run's ledger is when nobody says: beside it.

    >>> ledger_of(Path("runs/spring"))
    'runs/spring.ledger'
    """
    return str(run_dir.with_name(f"{run_dir.resolve().name}.ledger"))


def open_store(place: str, terms: Terms) -> Store:
    """Return the store that a path or a URL names, for a run; made where it is missing.

    Raises
    ------
    DataError
        When it cannot be opened, or belongs to another run.
    """
    secret = secrets.token_bytes(16)
    if place.startswith(SCHEMES):
        from incentive_engine.live.ledger.postgres_store import PostgresStore

        return PostgresStore(place, terms, secret=secret)
    from incentive_engine.live.ledger.sqlite_store import SQLiteStore

    return SQLiteStore(Path(place), terms, secret=secret)
