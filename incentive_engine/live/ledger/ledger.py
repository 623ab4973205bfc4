"""A ledger: where it is, and its batches of commands, each one durable transaction."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from incentive_engine.config.access.database_url import is_database, read_database_url
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.live.ledger.commands import Answer, Command
from incentive_engine.live.ledger.core import Book, apply
from incentive_engine.live.ledger.stores.store import Store, Terms, needs_of
from incentive_engine.pipeline.steps import Progress, quiet


class Ledger:
    """Applies commands to a store.

    Parameters
    ----------
    store
        Opened for a run; this ledger is the only one that uses it.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def apply(self, commands: Sequence[Command], now: int) -> list[Answer]:
        """Return the answers of commands once what they changed is durable.

        Raises
        ------
        UnavailableError
            When it cannot be made durable; then nothing has changed.
        """
        store = self.store
        try:
            book: Book | None = store.begin(needs_of(commands, store.names), now)
            while book is not None:
                answers = apply(book, commands, now)
                book = store.commit(book)
        except BaseException:
            store.rollback()
            raise
        return answers

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()


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


def open_store(place: str, terms: Terms, progress: Progress = quiet) -> Store:
    """Return the store that a path or a URL names, for a run; made where it is missing.

    Parameters
    ----------
    progress
        Is told how far a file of before is brought up to date, which takes long where it is large.

    Raises
    ------
    DataError
        When it cannot be opened, or belongs to another run.
    """
    secret = secrets.token_bytes(16)
    if is_database(place, where="--ledger"):
        from incentive_engine.live.ledger.stores.postgres_store import PostgresStore

        return PostgresStore(place, terms, secret=secret)
    try:
        is_folder = Path(place).is_dir()
    except OSError as error:  # such as a name that is too long
        what = say("cannot be opened: {reason}", reason=error)
        raise DataError(Fault(place, what, "a ledger's file")) from None
    if is_folder:
        remedy = "name a file in it"
        raise DataError(Fault(place or ".", "is a directory", "a ledger's file", remedy=remedy))
    from incentive_engine.live.ledger.stores.sqlite_store import SQLiteStore

    return SQLiteStore(Path(place), terms, secret=secret, progress=progress)
