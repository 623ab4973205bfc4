"""Ledgers in a PostgreSQL server of the tests' own."""

from __future__ import annotations

from typing import Any

import psycopg

from export.postgres_server import binaries
from incentive_engine.live.ledger.ledger import Ledger
from incentive_engine.live.ledger.stores.postgres_store import PostgresStore

from .ledgers import SECRET, terms

PROGRAMS = binaries()


def opened(url: str, **stated: int) -> Ledger:
    return Ledger(PostgresStore(url, terms(**stated), secret=SECRET))  # type: ignore[arg-type]


def cut(url: str, own: Ledger | PostgresStore) -> None:
    """Have the database end a server's connection."""
    store: Any = own.store if isinstance(own, Ledger) else own
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [store._db.info.backend_pid])
