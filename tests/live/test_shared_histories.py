"""Histories of servers that share a pool in PostgreSQL, of which one dies now and then."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import settings
from hypothesis.stateful import rule, run_state_machine_as_test

from incentive_engine.live.ledger.core import Book
from incentive_engine.live.ledger.ledger import Ledger
from incentive_engine.live.ledger.stores.postgres_store import PostgresStore
from incentive_engine.live.ledger.stores.store import Needs

from .ledgers import SECRET, YUAN, terms
from .postgres_ledgers import PROGRAMS, cut, opened
from .simulation import RISK, CrashError, World, check_books
from .test_ledger_model import LedgerMachine
from .test_simulation import SEEDS

pytestmark = pytest.mark.skipif(PROGRAMS is None, reason="no PostgreSQL server: make postgres")

HISTORIES = max(SEEDS // 40, 1)
"""Each with two servers, one of which dies now and then."""


class FragileServer(PostgresStore):
    """A server that dies at a chosen moment of a commit, or loses its database."""

    fate = ""

    def __init__(self, url: str, world: SharedWorld) -> None:
        super().__init__(url, world.stated, secret=SECRET)
        self._url, self._rng = url, world.rng

    def begin(self, needs: Needs, now: int) -> Book:
        book = super().begin(needs, now)
        if self.fate == "full":
            cut(self._url, self)
        return book

    def commit(self, book: Book) -> Book | None:
        if self.fate == "before":
            raise CrashError
        if self.fate == "in":
            self._pipeline.run = self._die_within  # type: ignore[method-assign]
        read = super().commit(book)
        if self.fate == "after" and read is None:
            raise CrashError
        return read

    def _die_within(self, calls: Any) -> Any:
        self._pipeline.send(calls[: self._rng.randrange(len(calls) + 1)])
        raise CrashError

    def rollback(self) -> None:
        if not self.fate:
            super().rollback()

    def die(self) -> None:
        self._db.close()

    def fill_disk(self, *, is_full: bool) -> None:
        """Leave that to the fate."""


@dataclass
class SharedWorld(World):
    """A world of two servers: whoever is asked next is drawn."""

    url: str = ""
    servers: list[FragileServer] = field(default_factory=list)

    def open(self) -> None:
        self.servers = [one for one in self.servers if not one._db.closed and not one._db.broken]
        while len(self.servers) < 2:
            self.servers.append(FragileServer(self.url, self))
        self.store = self.rng.choice(self.servers)
        self.ledger = Ledger(self.store)

    def deliver(self, fate: str | None = None) -> None:
        self.open()
        super().deliver(fate)

    def close(self) -> None:
        for one in self.servers:
            one.close()
        with closing(psycopg.connect(self.url)) as file:
            file.execute(f"SET search_path TO {PostgresStore.SCHEMA}")
            check_books(file, self.stated)


def histories(url: str) -> Iterator[tuple[int, SharedWorld]]:
    for seed in range(HISTORIES):
        rng = random.Random(seed)  # noqa: S311 - a seed's history
        stated = terms(budget=rng.choice([60, 100]) * YUAN, risk=rng.choice([None, RISK]))
        with psycopg.connect(url) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {PostgresStore.SCHEMA} CASCADE")
        yield seed, SharedWorld(Path(), rng, stated, url=url)


def test_every_history_of_two_servers_keeps_every_promise(url: str) -> None:
    for seed, world in histories(url):
        try:
            world.run()
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


def test_two_servers_do_what_thirty_lines_over_dictionaries_do(url: str) -> None:
    class SharedMachine(LedgerMachine):
        """Any commands in any order, at either server."""

        other: Ledger

        def open(self) -> Ledger:
            return opened(url)

        @rule()
        def go_elsewhere(self) -> None:
            self.ledger, self.other = self.other, self.ledger

        def start_others(self) -> None:
            self.other = opened(url)

        def teardown(self) -> None:
            super().teardown()
            if hasattr(self, "other"):
                self.other.close()
            with psycopg.connect(url) as connection:
                connection.execute(f"DROP SCHEMA IF EXISTS {PostgresStore.SCHEMA} CASCADE")

    run_state_machine_as_test(
        SharedMachine, settings=settings(max_examples=15, stateful_step_count=40, deadline=None)
    )
