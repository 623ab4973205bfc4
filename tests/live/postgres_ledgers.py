"""Ledgers in a PostgreSQL server of the tests' own."""

from __future__ import annotations

from export.postgres_server import binaries
from incentive_engine.live.ledger.ledger import Ledger
from incentive_engine.live.ledger.stores.postgres_store import PostgresStore

from .ledgers import SECRET, terms

PROGRAMS = binaries()


def opened(url: str, **stated: int) -> Ledger:
    return Ledger(PostgresStore(url, terms(**stated), secret=SECRET))  # type: ignore[arg-type]
