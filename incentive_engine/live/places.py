"""Where a ledger is: a file, or a database that several servers share."""

from __future__ import annotations

import secrets
from pathlib import Path

from incentive_engine.live.store import Store, Terms


def open_store(place: str, terms: Terms) -> Store:
    """Return the store that a path names, for a run; made where it is missing.

    Raises
    ------
    DataError
        When it cannot be opened, or belongs to another run.
    """
    from incentive_engine.live.sqlite_store import SQLiteStore

    return SQLiteStore(Path(place), terms, secret=secrets.token_bytes(16))
