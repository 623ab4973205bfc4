"""Histories by seeds hold, and ten named faults of the ledger are each caught by them.

More seeds: INCENTIVE_LEDGER_SEEDS=10000 pytest tests/live/test_simulation.py
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from incentive_engine.errors import IncentiveError
from incentive_engine.live.ledger import core, records
from incentive_engine.live.ledger.chain import link
from incentive_engine.live.ledger.commands import Decided, Find, Refused
from incentive_engine.live.ledger.core import Book
from incentive_engine.live.ledger.records import Decision, LimitState, State
from incentive_engine.live.ledger.stores import change_buffer
from incentive_engine.live.ledger.stores.change_buffer import ChangeBuffer, IndexParams
from incentive_engine.live.ledger.stores.sqlite_store import SQLiteStore

from .ledgers import START, YUAN, decided, ledger, redeem, reserve, terms
from .simulation import ViolationError, check_file, play

SEEDS = int(os.environ.get("INCENTIVE_LEDGER_SEEDS", "400"))
MUTANT_SEEDS = 400
MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)


def test_every_history_keeps_every_promise(folder: Path) -> None:
    for seed in range(SEEDS):
        try:
            play(seed, folder)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


def always_fits(*_: Any) -> bool:
    return True


def never_due(_: Book, decision: Decision) -> Decision:
    return decision


def late_is_fine(book: Book, decision: Decision) -> Decision:
    due = decision.expires_at is not None and decision.expires_at < book.head.at
    if due and decision.state == State.RESERVED:
        return core._release(book, decision, State.EXPIRED)
    return decision


def no_margin(_: LimitState, claim: int = 0, variance: int = 0) -> int:
    del claim, variance
    return 0


def settles_without_release(book: Book, decision: Decision, amount: int) -> Decision:
    for place, claim in decision.claims:
        book.pool[place].settled += amount if place == 0 else claim
        book.pool[place].overdraft += 10**12
    return core._move(book, decision._replace(state=State.REDEEMED, amount=amount))


def forgets_keys(book: Book, key: bytes, digest: bytes, decision: Decision) -> Decided:
    del key, digest
    return Decided(book.names.of(decision.seq), decision)


def takes_any_body(book: Book, key: bytes, digest: bytes) -> Decided | None:
    request = book.requests.get(key) if key else None
    if request is None:
        return None
    entry = book.answers[request.entry]
    del digest
    then = book.decisions[entry.decision]._replace(
        state=entry.state, amount=entry.amount, last=entry.seq
    )
    return Decided(book.names.of(then.seq), then)


def answers_as_of_now(book: Book, key: bytes, digest: bytes) -> Any:
    request = book.requests.get(key) if key else None
    if request is None:
        return None
    if request.digest != digest:
        return Refused("key_reused")
    decision = book.decisions[book.answers[request.entry].decision]
    return Decided(book.names.of(decision.seq), decision)


def holds_nothing(book: Book, user_id: str) -> None:
    del book, user_id


def answers_before_commit(store: SQLiteStore, book: Book) -> None:
    del book
    store._db.execute("ROLLBACK")


def breaks_the_chain(before: bytes, **entry: Any) -> bytes:
    del before
    return _link(bytes(32), **entry)


def redeems_anything(book: Book, command: Any) -> Any:
    decision = core._named(book, command.decision)
    if decision is None or decision.state != State.RESERVED or command.key in book.requests:
        return _redeem(book, command)
    decision = core._settle(book, decision, command.amount)
    return core._remember(book, command.key, command.digest, decision)


def forgets_what_waits(
    database: Any, table: str, params: IndexParams | None = None
) -> ChangeBuffer:
    buffer = ChangeBuffer(database, table, params)
    buffer.mark = 1 << 62
    return buffer


def marks_too_much(buffer: ChangeBuffer, seq: int) -> int:
    pages = _bring_in(buffer, seq)
    buffer._database.execute(buffer._note, [seq])
    return pages


_link, _redeem = link, core._redeem
_bring_in = ChangeBuffer.bring_in

MUTANTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "caps are not looked at": (core, "_fits", always_fits),
    "nothing runs out": (core, "_expire_if_due", never_due),
    "the last moment still counts": (core, "_expire_if_due", late_is_fine),
    "no margin for what is open": (records.LimitState, "margin", no_margin),
    "a redemption releases nothing": (core, "_settle", settles_without_release),
    "keys are forgotten": (core, "_remember", forgets_keys),
    "a key takes any body": (core, "_answered", takes_any_body),
    "a key's answer changes": (core, "_answered", answers_as_of_now),
    "a user may have two offers": (core, "_held", holds_nothing),
    "answers leave before the commit": (SQLiteStore, "commit", answers_before_commit),
    "each hash begins anew": (core, "link", breaks_the_chain),
    "any amount is redeemed": (core, "_redeem", redeems_anything),
    "what waits is forgotten": (change_buffer, "ChangeBuffer", forgets_what_waits),
    "more is marked than was brought in": (ChangeBuffer, "bring_in", marks_too_much),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_each_named_fault_is_caught(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(*MUTANTS[name])
    for seed in range(MUTANT_SEEDS):
        try:
            play(seed, folder)
        except (ViolationError, IncentiveError):
            return
    pytest.fail(f"{MUTANT_SEEDS} histories show nothing wrong")


def test_a_power_cut_at_any_byte_loses_nothing_that_was_answered(folder: Path) -> None:
    """What was not synced yet is cut off, or is rubbish; what was is there, and nothing half."""
    path, log = folder / "ledger", folder / "ledger-wal"
    rng = random.Random(5)  # noqa: S311 - a test
    stated = terms(budget=10**6 * YUAN)
    own = ledger(path, stated)
    assert own.store._db.execute("PRAGMA synchronous").fetchone() == (2,)  # type: ignore[attr-defined]
    answered: list[str] = []
    for turn in range(60):
        safe = log.stat().st_size
        before = list(answered)
        answers = own.apply([reserve(cost=YUAN) for _ in range(3)], START + turn)
        answered += [decided(answer)[0] for answer in answers]
        if turn % 4 == 3:
            own.apply([redeem(answered[0], YUAN)], START + turn)
        written = log.read_bytes()
        cut = rng.randrange(safe, len(written) + 1)
        rubbish = rng.randbytes(rng.choice([0, 100, 5_000]))
        copy = folder / f"copy {turn}"
        shutil.copy(path, copy)
        (folder / f"copy {turn}-wal").write_bytes(written[:cut] + rubbish)
        again = ledger(copy, stated)
        found = again.apply([Find(name) for name in before], START + turn)
        assert all(isinstance(answer, Decided) for answer in found)
        again.close()
        check_file(copy, stated)
    own.close()
