"""A ledger: batches of commands, each one durable transaction, whatever the store."""

from __future__ import annotations

from collections.abc import Sequence

from incentive_engine.live.ledger.commands import Answer, Command
from incentive_engine.live.ledger.core import apply
from incentive_engine.live.ledger.store import Store, needs_of


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
            book = store.begin(needs_of(commands, store.names), now)
            answers = apply(book, commands, now)
            store.commit(book)
        except BaseException:
            store.rollback()
            raise
        return answers

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()
