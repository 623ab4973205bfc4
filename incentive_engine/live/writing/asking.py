"""Asks a ledger, whoever writes it now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from incentive_engine.errors import DataError, Fault
from incentive_engine.live.ledger.clock import Clock
from incentive_engine.live.ledger.commands import Answer, Command
from incentive_engine.live.ledger.ledger import Ledger, open_store
from incentive_engine.live.ledger.stores.sqlite_store import announced, connect_read_only
from incentive_engine.live.ledger.stores.store import HeldError, Terms
from incentive_engine.pipeline.steps import Progress, quiet

Ask = Callable[[Sequence[Command]], list[Answer]]


@contextmanager
def asking(terms: Terms, ledger: str, progress: Progress = quiet) -> Iterator[Ask]:
    """Yield how to ask a ledger: directly, or through the process that writes it.

    Parameters
    ----------
    progress
        As `open_store` has it.

    Raises
    ------
    DataError
        When it is the ledger of another run, or cannot be written.
    """
    try:
        store = open_store(ledger, terms, progress)
    except HeldError:
        place = announced(Path(ledger))
        if place is None:
            raise
        from incentive_engine.live.writing.client import Client

        with closing(Client(place)) as client:
            _refuse_other_run(terms, ledger)
            yield client.ask
        return
    own, clock = Ledger(store), Clock()
    with closing(own):
        yield lambda commands: own.apply(commands, clock.now())


def _refuse_other_run(terms: Terms, ledger: str) -> None:
    """Refuse a ledger that a server writes for another run."""
    with closing(connect_read_only(Path(ledger))) as file:
        (run,) = file.execute("SELECT content FROM meta WHERE name = 'run'").fetchone()
    if run != terms.run:
        what = "is the ledger of another run"
        raise DataError(Fault(ledger, what, remedy="name that run, or another ledger"))
