"""One seed, one history: clients, a network, a clock, a disk and crashes, all drawn from it.

Requests are repeated, delayed and reordered; the program dies before, in and after a commit; the
disk fills; the clock jumps both ways. What must hold whatever happens is checked here, with the
books kept anew from the entries.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from incentive_engine.live.ledger.commands import (
    Answer,
    Command,
    Decided,
    Find,
    Redeem,
    Refused,
    Reserve,
)
from incentive_engine.live.ledger.core import Book
from incentive_engine.live.ledger.ledger import Ledger
from incentive_engine.live.ledger.records import Names, RiskMargin
from incentive_engine.live.ledger.stores.change_buffer import IndexParams
from incentive_engine.live.ledger.stores.sqlite_store import SQLiteStore
from incentive_engine.live.ledger.stores.store import Store, Terms, UnavailableError

from .ledgers import (
    BUDGET,
    HOLD,
    SECOND,
    SECRET,
    START,
    STOCK,
    YUAN,
    cancel,
    redeem,
    reserve,
    terms,
)

STEPS = 30
USERS = [f"user {n}" for n in range(6)]
RISK = RiskMargin(z_ppm=1_645_000, error_ppm=50_000, face=20 * YUAN)


class ViolationError(AssertionError):
    """Something happened that must not."""


class Database(Protocol):
    """What can be asked in SQL."""

    def execute(self, sql: str, /) -> Any: ...


class CrashError(Exception):
    """The program has died."""


class Fragile(Store, Protocol):
    """A store that dies at a chosen moment."""

    fate: str

    def die(self) -> None: ...

    def fill_disk(self, *, is_full: bool) -> None: ...


class FragileStore(SQLiteStore):
    """A store that dies at a chosen moment of a commit."""

    fate = ""

    def commit(self, book: Book) -> None:
        if self.fate == "before":
            raise CrashError
        if self.fate == "in" and book.is_changed:
            self._write(book)
            raise CrashError
        super().commit(book)
        if self.fate == "after":
            raise CrashError

    def die(self) -> None:
        """End as a killed process does: nothing is rolled back, the system closes the files."""
        self._db.close()
        os.close(self._lock)

    def fill_disk(self, *, is_full: bool) -> None:
        pages = self._db.execute("PRAGMA page_count").fetchone()[0] if is_full else 1 << 30
        self._db.execute(f"PRAGMA max_page_count = {pages}")


def expect(holds: bool, what: str) -> None:  # noqa: FBT001 - as assert
    if not holds:
        raise ViolationError(what)


@dataclass
class World:
    """Everything that a seed decides on."""

    path: Path
    rng: random.Random
    stated: Terms
    now: int = START
    queue: list[Command] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    answers: dict[bytes, Answer] = field(default_factory=dict)
    ends: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    number: int = 0
    waiting: int = 0
    store: Fragile = field(init=False)
    ledger: Ledger = field(init=False)

    def run(self) -> None:
        # of an index: nothing ever, a little, or all of it
        self.waiting = self.rng.choice([0, 3, 100_000])
        self.open()
        for _ in range(STEPS):
            self.rng.choice([self.ask, self.ask, self.deliver, self.deliver, self.pass_time])()
        while self.queue:
            self.deliver(fate="")
        self.check_answers()
        self.close()

    def close(self) -> None:
        """Close the ledger, and keep its books anew."""
        self.store.close()
        check_file(self.path, self.stated)

    def open(self) -> None:
        self.store = FragileStore(
            self.path, self.stated, secret=SECRET, params=IndexParams(waiting=self.waiting)
        )
        self.ledger = Ledger(self.store)

    def key(self) -> bytes:
        self.number += 1
        return b"%016d" % self.number

    def ask(self) -> None:
        """Put a request on its way, sometimes more than once."""
        kind = self.rng.choice(["reserve", "reserve", "redeem", "cancel", "find"])
        if kind == "reserve" or not self.names:
            cost = self.rng.choice([1, 10 * YUAN, 30 * YUAN])
            offer = self.rng.choice(["off50", "off50", "off50", None])
            stock = self.rng.random() < 0.3
            claims = ((BUDGET, cost), *([(STOCK, 1)] if stock else []))
            user, face = self.rng.choice(USERS), max(cost, 20 * YUAN)
            command: Command = reserve(
                user, cost=cost, face=face, offer=offer, claims=claims, named=self.key()
            )
        else:
            name = self.rng.choice(self.names)
            amount = self.rng.choice([0, 1, 15 * YUAN, 31 * YUAN])
            named = self.rng.choice([b"", self.key()])
            ends: dict[str, Command] = {
                "redeem": redeem(name, amount, named),
                "cancel": cancel(name, named),
                "find": Find(name),
            }
            command = ends[kind]
        self.queue += [command] * self.rng.choice([1, 1, 2, 3])

    def pass_time(self) -> None:
        self.now += self.rng.choice([1, SECOND, HOLD // 2, HOLD, -HOLD, -10 * SECOND])

    def deliver(self, fate: str | None = None) -> None:
        """Let some requests arrive at once, in any order."""
        self.rng.shuffle(self.queue)
        batch, self.queue = self.queue[:5], self.queue[5:]
        if fate is None:
            fate = self.rng.choice(["", "", "", "", "before", "in", "after", "full"])
        self.store.fate = fate
        self.store.fill_disk(is_full=fate == "full")
        try:
            answers = self.ledger.apply(batch, self.now)
        except (CrashError, UnavailableError):
            self.queue += batch  # nobody was answered; all ask again, with the same keys
            self.store.die()
            self.open()
            return
        self.store.fate = ""
        self.store.fill_disk(is_full=False)
        for command, answer in zip(batch, answers, strict=True):
            self.note(command, answer)

    def note(self, command: Command, answer: Answer) -> None:
        """Remember what a client was told, and compare it with what it was told before."""
        key = command.key if isinstance(command, Reserve | Redeem) else b""
        if key and isinstance(answer, Decided):
            before = self.answers.setdefault(key, answer)
            expect(before == answer, "a key has two answers")
        if isinstance(command, Reserve):
            expect(isinstance(answer, Decided), f"a reservation was answered {answer}")
            if self.rng.random() < 0.1:
                other = command._replace(digest=b"another body")
                (refused,) = self.ledger.apply([other], self.now)
                expect(refused == Refused("key_reused"), "a key took another body")
        if isinstance(answer, Decided):
            state, end = answer.decision.state, self.ends.get(answer.name)
            if answer.name not in self.names:
                self.names.append(answer.name)
            if not isinstance(command, Reserve) and state not in {"reserved", "none"}:
                now = (state, answer.decision.amount)
                expect(end in {None, now}, "an end changed")
                self.ends[answer.name] = now
            if isinstance(command, Redeem) and end is None:
                # it may be what another redemption settled, whose answer was lost in a crash
                amount = answer.decision.amount
                expect(amount is not None, "a redemption without an amount")
                expect((amount or 0) <= answer.decision.face, "more than the face value")

    def check_answers(self) -> None:
        """See that nothing answered was lost."""
        for name, end in self.ends.items():
            (answer,) = self.ledger.apply([Find(name)], self.now)
            expect(isinstance(answer, Decided), "an answered decision is gone")
            assert isinstance(answer, Decided)
            expect((answer.decision.state, answer.decision.amount) == end, "an end was lost")
        for name in self.names:
            (answer,) = self.ledger.apply([Find(name)], self.now)
            expect(isinstance(answer, Decided), "an answered decision is gone")


def check_file(path: Path, stated: Terms) -> None:
    """Keep the books of a ledger's file anew."""
    with contextlib.closing(sqlite3.connect(path)) as file:
        check_books(file, stated)


def check_books(file: Database, stated: Terms) -> None:
    """Keep the books anew from the entries."""
    rows = file.execute(
        "SELECT e.seq, e.at, e.decision, e.state, e.amount, e.chain, d.user_id, d.offer_id, "
        "d.reason, d.scene, d.cost, d.face, d.claims, d.expires_at, d.prices_version, "
        "d.propensity FROM entries e JOIN decisions d ON d.seq = e.decision ORDER BY e.seq"
    ).fetchall()
    pool = file.execute("SELECT reserved, settled FROM pool ORDER BY place").fetchall()
    names, chain, last = Names(SECRET), bytes(32), 0
    reserved, settled, variance = Counter[int](), Counter[int](), 0
    states: dict[int, str] = {}
    live: dict[str, int] = {}
    for at, row in enumerate(rows, start=1):
        seq, time, decision, state, amount, told, user, *_, text, expires, _, _ = row
        cost, face = row[10], row[11]
        expect(seq == at, "an entry is missing")
        expect(time >= last, "time ran backwards")
        claims = [[int(n) for n in pair.split(":")] for pair in text.split()]
        content = [seq, time, names.of(decision), user, *row[7:9], state, row[9], cost, face]
        content += [amount, expires, row[14], row[15], claims]
        encoded = json.dumps(content, separators=(",", ":")).encode()
        chain, last = hashlib.sha256(chain + encoded).digest(), time
        expect(chain == told, "the chain is broken")
        before = states.get(decision)
        expect(before == ("reserved" if decision != seq else None), "a state follows a wrong one")
        states[decision] = state
        if state == "none":
            continue
        sign = 1 if state == "reserved" else -1
        variance += sign * cost * max(face - cost, 0)
        for place, claim in claims:
            reserved[place] += sign * claim
            if state == "redeemed":
                settled[place] += claim if place == STOCK else amount
        if state == "reserved":
            expect(live.setdefault(user, decision) == decision, "a user has two offers")
            for place in {place for place, _ in claims}:
                cap, risk = stated.limits[place].at_most, stated.limits[place].risk
                spread = (variance + (reserved[place] * 5 // 100) ** 2) ** 0.5
                margin = 1.645 * spread + 20 * YUAN if risk and reserved[place] else 0
                used = reserved[place] + settled[place] + margin
                expect(cap is None or used <= cap + 4, "a cap was passed")
        elif state in {"cancelled", "expired"}:
            live.pop(user)
            expect(state == "cancelled" or time >= expires, "it expired too early")
        if state in {"redeemed", "cancelled"}:
            expect(time < expires, "it was redeemed too late")
            expect(state == "cancelled" or 0 <= amount <= face, "more than the face value")
    expect(
        [tuple(p) for p in pool] == [(reserved[p], settled[p]) for p in range(3)], "sums differ"
    )


def play(seed: int, folder: Path) -> None:
    """Let the history of a seed happen.

    Raises
    ------
    ViolationError
        When something happened that must not.
    """
    rng = random.Random(seed)  # noqa: S311 - a seed's history
    stated = terms(budget=rng.choice([60, 100]) * YUAN, risk=rng.choice([None, RISK]))
    path = folder / f"ledger {seed}"
    try:
        World(path, rng, stated).run()
    finally:
        for left in folder.glob(f"ledger {seed}*"):
            left.unlink()
