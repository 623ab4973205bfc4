"""Connections to a ledger in PostgreSQL, and how its errors are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from incentive_engine.config.access.database_url import DatabaseUrl
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.live.ledger.stores.store import UnavailableError


def connected(place: DatabaseUrl) -> Any:  # noqa: ANN401 - the library is optional
    """Return a connection to write with, whose commits wait for the disk.

    Raises
    ------
    UnavailableError
        When the server does not answer.
    """
    import psycopg

    # seconds for a server to answer at the start
    parameters: dict[str, Any] = {"connect_timeout": 5, **place.parameters}
    with told(place.shown):
        database = psycopg.connect(**parameters)
        database.execute("SET synchronous_commit TO on")
        # planning takes longer than a batch. Plans are kept from when the tables are empty, so
        # that they must not be ones which read the tables through; the price that is set on such
        # reading would have all plans compiled
        for setting in (
            "client_encoding TO 'UTF8'",
            "plan_cache_mode TO force_generic_plan",
            "enable_seqscan TO off",
            "jit TO off",
        ):
            database.execute(f"SET {setting}")
        # a server that stops in the middle must not keep the others from the pool
        database.execute("SET idle_in_transaction_session_timeout TO '10s'")
        database.commit()
        return database


@contextmanager
def told(
    where: str, *, remedy: str = "see to the database, or name another ledger"
) -> Iterator[None]:
    """Tell an error of the database as one of the ledger.

    Parameters
    ----------
    remedy
        What to do when the database is away: who only reads, or connects, has asked for nothing
        yet that could be done twice.
    """
    import psycopg

    try:
        yield
    except psycopg.OperationalError as error:
        what = say(
            "the database does not answer, or went away: {reason}",
            reason=_first_line(error),
        )
        raise UnavailableError(Fault(where, what, remedy=remedy)) from error
    except psycopg.Error as error:
        raise DataError(Fault(where, _first_line(error), remedy="see to the database")) from error


def _first_line(error: Any) -> str:  # noqa: ANN401 - an error of the library
    return (error.diag.message_primary or str(error)).strip().splitlines()[0]
