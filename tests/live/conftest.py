"""A database for the ledgers that several servers share."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from export.postgres_server import server
from incentive_engine.live.ledger.stores.postgres_store import PostgresStore

from .postgres_ledgers import PROGRAMS


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    assert PROGRAMS is not None
    with server(PROGRAMS) as url:
        yield url


@pytest.fixture
def url(database: str) -> Iterator[str]:
    """Yield a database without a ledger."""
    yield database
    with psycopg.connect(database) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {PostgresStore.SCHEMA} CASCADE")
