"""Servers that share a pool in PostgreSQL decide on guesses, and answer as if they had none."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from incentive_engine.errors import IncentiveError
from incentive_engine.live.ledger.commands import (
    Act,
    Answer,
    Command,
    Decided,
    Find,
    Preview,
    Publish,
    Recall,
    Reserve,
    ShowActions,
    ShowPool,
    ShowPrices,
)
from incentive_engine.live.ledger.core import Book, apply
from incentive_engine.live.ledger.ledger import Ledger
from incentive_engine.live.ledger.stores.postgres_store import PostgresStore
from incentive_engine.live.ledger.stores.store import UnavailableError, needs_of

from .ledgers import (
    BUDGET,
    HOLD,
    SECOND,
    SECRET,
    START,
    STOCK,
    YUAN,
    cancel,
    decided,
    key,
    ledger,
    pool,
    redeem,
    reserve,
    terms,
)
from .postgres_ledgers import PROGRAMS, cut, opened
from .simulation import check_books
from .test_simulation import MEMORY

pytestmark = pytest.mark.skipif(PROGRAMS is None, reason="no PostgreSQL server: make postgres")

STOCKED = terms(budget=2_000 * YUAN, stock=40)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)


class Counting(PostgresStore):
    """A store that counts how its guesses end."""

    def __init__(self, url: str) -> None:
        super().__init__(url, STOCKED, secret=SECRET)
        self.guesses: Counter[str] = Counter()

    def commit(self, book: Book) -> Book | None:
        is_guess, what = self._is_guess, "end" if self._is_end_guessed else "rest"
        read = super().commit(book)
        if is_guess:
            self.guesses[f"{what} {'right' if read is None else 'wrong'}"] += 1
        return read


class Crowd:
    """Draws what many ask: mostly the new, and some who come again."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - a seed's history
        self.asked: list[Reserve] = []
        self.names: list[str] = ["d1-0123456789abcdef"]
        self.number = 0

    def batch(self) -> list[Command]:
        draw = self.rng.choice([self.new, self.new, self.new, self.any])
        return [draw() for _ in range(self.rng.choice([0, 1, 2, 5]))]

    def new(self) -> Command:
        self.number += 1
        cost = self.rng.choice([YUAN, 10 * YUAN, 300 * YUAN])
        claims = ((BUDGET, cost), *([(STOCK, 1)] if self.rng.random() < 0.5 else []))
        user, named = f"user {self.number}", key(f"new {self.number}")
        hold = self.rng.choice([HOLD, 1_000 * HOLD])
        self.asked.append(
            reserve(user, cost=cost, face=cost, claims=claims, named=named, hold=hold)
        )
        return self.asked[-1]

    def any(self) -> Command:
        before = self.rng.choice(self.asked) if self.asked else reserve()
        name, named = self.rng.choice(self.names), self.rng.choice([b"", key()])
        lower = f'{{"at_most": {{"stock": {self.rng.randrange(40)}}}}}'
        commands: list[Command] = [
            before,
            before,
            before._replace(digest=key("other")),
            before._replace(key=key()),
            before._replace(key=key()),
            redeem(name, self.rng.choice([0, YUAN, 10**4 * YUAN]), named),
            redeem(name, 0, named),
            cancel(name, named),
            cancel(name),
            Recall(before.key, before.digest),
            Preview(before.user_id, YUAN, YUAN, ((STOCK, 1),)),
            Find(name),
            ShowPool(),
            ShowPrices(),
            ShowActions(0),
            Publish(self.rng.randrange(5), "prices"),
            Act("finding", "accepted", "Li", lower, self.rng.randrange(3)),
        ]
        return self.rng.choice(commands)

    def note(self, answers: Sequence[Answer]) -> None:
        self.names += [answer.name for answer in answers if isinstance(answer, Decided)]


def interleave(url: str, folder: Path, seed: int, *, steps: int = 150) -> Counter[str]:
    """Let two servers answer by turns what a ledger in a file answers as well.

    Returns
    -------
    Counter[str]
        How many guesses of the ledger's end, or of the rest alone, were right, and wrong.
    """
    crowd, stores = Crowd(seed), [Counting(url), Counting(url)]
    servers = [*map(Ledger, stores)]
    alone, at = ledger(folder / f"alone {seed}", STOCKED), START
    turn, rng = servers[0], crowd.rng
    try:
        for _ in range(steps):
            turn = rng.choice([turn, turn, turn, *servers])
            at += rng.choice([1, 1, 1, SECOND, HOLD // 4, HOLD])
            batch = crowd.batch()
            answers = turn.apply(batch, at)
            assert answers == alone.apply(batch, at)
            crowd.note(answers)
        with psycopg.connect(url) as shared:
            shared.execute(f"SET search_path TO {PostgresStore.SCHEMA}")
            check_books(shared, STOCKED)
            for rows in (
                "entries ORDER BY seq",
                "decisions ORDER BY seq",
                "head",
                "pool ORDER BY place",
            ):
                query = f"SELECT * FROM {rows}"  # noqa: S608 - of ours
                own = alone.store._db.execute(query).fetchall()  # type: ignore[attr-defined]
                assert shared.execute(query).fetchall() == own
    finally:
        for one in (*servers, alone):
            one.close()
        with psycopg.connect(url) as shared:
            shared.execute(f"DROP SCHEMA {PostgresStore.SCHEMA} CASCADE")
    return stores[0].guesses + stores[1].guesses


def test_two_servers_answer_by_turns_as_one_ledger_does(url: str, folder: Path) -> None:
    guesses = sum((interleave(url, folder, seed) for seed in range(8)), Counter[str]())
    assert min(guesses[f"{what} right"] for what in ("end", "rest")) > 100
    assert min(guesses[f"{what} wrong"] for what in ("end", "rest")) > 10


Rows = dict[str, list[tuple[bytes | None, ...]]]


def others_write_nothing(store: PostgresStore, rows: Rows) -> bool:
    store._is_end_guessed = False
    return _is_right(store, rows)


def nobody_has_anything(store: PostgresStore, rows: Rows) -> bool:
    due = [row for row in rows["concerned"] if row[-1] == b"t"]
    return _is_right(store, rows | {"concerned": due})


def nothing_runs_out(store: PostgresStore, rows: Rows) -> bool:
    had = [row for row in rows["concerned"] if row[-1] != b"t"]
    return _is_right(store, rows | {"concerned": had})


def every_key_is_new(store: PostgresStore, rows: Rows) -> bool:
    return _is_right(store, rows | {"answered": []})


_is_right: Callable[..., bool] = PostgresStore._is_right


@pytest.mark.parametrize(
    "mutant", [others_write_nothing, nobody_has_anything, nothing_runs_out, every_key_is_new]
)
def test_each_guard_of_a_guess_is_needed(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, mutant: Callable[..., bool]
) -> None:
    monkeypatch.setattr(PostgresStore, "_is_right", mutant)
    for seed in range(20):
        try:
            interleave(url, folder, seed)
        except (AssertionError, IncentiveError):
            return
    pytest.fail("20 histories show nothing wrong")


Open = Callable[[], Ledger]


@pytest.fixture
def another(url: str) -> Iterator[Open]:
    """Yield what starts one more server of a ledger with one item."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(opened(url, stock=1)))


def warm(another: Open) -> Ledger:
    """Return a ledger whose next batch is decided on a guess, also of where the ledger ends."""
    own = another()
    own.apply([reserve(offer=None)], START)
    own.apply([reserve(offer=None)], START)
    return own


def guessed(own: Ledger, commands: Sequence[Command], now: int = START) -> Book:
    store = own.store
    assert isinstance(store, PostgresStore)
    book = store.begin(needs_of(commands, store.names), now)
    assert store._is_end_guessed
    apply(book, commands, now)
    return book


MINE = reserve("u", claims=((STOCK, 1),), named=key("mine"))
MOVE = Act("finding", "accepted", "Li", '{"at_most": {"stock": 0}}', 0)


@pytest.mark.parametrize(
    ("theirs", "outcome"),
    [
        (MINE, ("reserved", "offered")),
        (MINE._replace(key=key("theirs")), ("reserved", "offered")),
        (reserve(claims=((STOCK, 1),)), ("none", "pool_empty")),
        (MOVE, ("none", "pool_empty")),
    ],
    ids=["the same key", "the same user", "the last item", "a cap"],
)
def test_a_guess_that_waits_for_another_server_is_thrown_away(
    another: Open, theirs: Command, outcome: tuple[str, str]
) -> None:
    own, other = warm(another), another()
    book = other.store.begin(needs_of([theirs], other.store.names), START)
    (told,) = apply(book, [theirs], START)
    guess = guessed(own, [MINE])  # asked while the other holds the lock
    assert other.store.commit(book) is None
    read = own.store.commit(guess)
    assert read is not None
    (answer,) = apply(read, [MINE], START)
    assert own.store.commit(read) is None
    name, decision = decided(answer)
    assert (decision.state, decision.reason) == outcome
    if isinstance(told, Decided) and told.decision.user_id == "u":
        assert name == told.name
    assert another().apply([MINE], START) == [answer]


def test_what_runs_out_makes_room_for_a_guessed_batch_as_well(another: Open) -> None:
    own = warm(another)
    (first,) = own.apply([MINE], START)
    assert decided(first)[1].state == "reserved"
    own.apply([], START)
    guess = guessed(own, [reserve(claims=((STOCK, 1),))], START + HOLD)
    assert guess.entries[-1].state == "none"
    own.store.rollback()
    (second,) = own.apply([reserve(claims=((STOCK, 1),))], START + HOLD)
    assert decided(second)[1].state == "reserved"
    assert pool(own, START + HOLD)[STOCK] == (1, 0)


def test_a_connection_that_breaks_while_the_database_reads_changes_nothing(
    url: str, another: Open
) -> None:
    own = warm(another)
    guess = guessed(own, [MINE])
    cut(url, own)
    with pytest.raises(UnavailableError, match="went away"):
        own.store.commit(guess)
    own.store.rollback()
    expect_nothing(another)


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_connection_that_breaks_before_the_commit_changes_nothing(
    url: str, another: Open, *, is_shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = warm(another)
    if is_shared:
        another().apply([reserve(offer=None)], START)
    pipeline = own.store._pipeline  # type: ignore[attr-defined]
    run = pipeline.run

    def interrupted(calls: Sequence[Any]) -> None:
        run([call for call in calls if call[0] not in {"commit", "flush"}])
        cut(url, own)
        run(calls)

    monkeypatch.setattr(pipeline, "run", interrupted)
    with pytest.raises(UnavailableError, match="went away"):
        own.apply([MINE], START)
    expect_nothing(another)


def expect_nothing(another: Open) -> None:
    """See that a batch left nothing, and is done when it is asked again."""
    again = another()
    assert pool(again)[STOCK] == (0, 0)
    (answer,) = again.apply([MINE], START)
    assert decided(answer)[1].state == "reserved"
    assert again.apply([MINE], START) == [answer]
    assert pool(again)[STOCK] == (1, 0)


def test_a_guess_that_is_given_up_leaves_the_ledger_usable(
    another: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = warm(another)
    with monkeypatch.context() as patched:
        patched.setattr("incentive_engine.live.ledger.ledger.apply", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            own.apply([MINE], START)
    (answer,) = own.apply([MINE], START)
    assert decided(answer)[1].state == "reserved"


def unflushed(asking: psycopg.Connection[tuple[Any, ...]]) -> int:
    """Return how many bytes of the database's log are not on disk."""
    query = "SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn()"
    return int((asking.execute(query).fetchone() or ())[0])


PAGE_HEADER = 24
"""Bytes that may seem to be missing where a page of the log is full."""


@pytest.mark.parametrize("servers", [1, 2])
def test_what_is_answered_is_on_disk(url: str, servers: int) -> None:
    ledgers, missing = [opened(url) for _ in range(servers)], []
    with psycopg.connect(url, autocommit=True) as asking:
        for turn in range(9):
            ledgers[turn % servers].apply([reserve(offer=None)], START)
            missing.append(unflushed(asking))
    # the database itself may write in between, now and then
    assert sorted(missing)[4] <= PAGE_HEADER
    for own in ledgers:
        own.close()


def test_what_is_read_of_another_server_is_on_disk(
    another: Open, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One server gives the lock away and stops before the disk has its batch."""
    own, other = another(), another()
    pipeline = own.store._pipeline  # type: ignore[attr-defined]
    run, before, after = pipeline.run, [], []

    def stopping(calls: Sequence[Any]) -> Any:
        return run([call for call in calls if call[0] != "flush"])

    monkeypatch.setattr(pipeline, "run", stopping)
    with psycopg.connect(url, autocommit=True) as asking:
        for _ in range(9):
            other.apply([reserve(offer=None)], START)
            (answer,) = own.apply([reserve(offer=None)], START)
            before.append(unflushed(asking))
            assert other.apply([Find(decided(answer)[0])], START) == [answer]
            after.append(unflushed(asking))
    assert sorted(before)[4] > PAGE_HEADER
    assert sorted(after)[4] <= PAGE_HEADER
