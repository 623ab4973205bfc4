"""A ledger as its database states it: entries and actions, whole, in order, chained."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from incentive_engine.config.access.database_url import is_database, read_database_url
from incentive_engine.language import say
from incentive_engine.parallel import interruptible
from incentive_engine.verify.recomputed.blocks import UnreadableError
from incentive_engine.verify.result import CheckFindings

ENTRIES: Final = (
    "SELECT e.seq, e.at, e.decision, e.state, e.amount, e.chain, d.user_id, d.offer_id, d.reason, "
    "d.scene, d.cost, d.face, d.claims, d.expires_at, d.prices_version, d.propensity, d.state, "
    "d.amount, d.last FROM entries e LEFT JOIN decisions d ON d.seq = e.decision ORDER BY e.seq"
)
"""Reads every entry in order, with the columns of `EntryRow`."""


class EntryRow(NamedTuple):
    """An entry, and its decision as the ledger states it now."""

    seq: int
    at: int
    decision: int
    state: str
    amount: int | None
    chain: bytes
    user_id: str
    offer_id: str | None
    reason: str
    scene: str | None
    cost: int
    face: int
    claims: str
    expires_at: int | None
    prices_version: int
    propensity: float
    final: str
    final_amount: int | None
    last: int


def in_order(
    rows: Iterator[tuple[Any, ...]], findings: dict[str, CheckFindings], *, accounts: int
) -> Iterator[EntryRow]:
    """Yield entries as long as they are numbered without a gap, and whole."""
    last = 0
    for number, entry in enumerate(map(EntryRow._make, rows), 1):
        if entry.seq != number:
            findings["ledger chain"].add(say("entry {count} is missing", count=number))
            return
        if not _is_whole(entry, accounts=accounts):
            findings["ledger chain"].add(say("entry {seq} is not what was written", seq=entry.seq))
            return
        if entry.at < last:
            findings["ledger states"].add(
                say("entry {seq} is earlier than the one before", seq=entry.seq)
            )
        last = entry.at
        yield entry


def _is_whole(entry: EntryRow, *, accounts: int) -> bool:
    """Return whether an entry has a decision, and all that the books are kept by."""
    # a database holds what it was told to, whatever the annotations of `EntryRow` promise
    numbers: tuple[object, ...] = (entry.at, entry.decision, entry.cost, entry.face, entry.last)
    chain, claims = cast("tuple[object, object]", (entry.chain, entry.claims))
    if not all(isinstance(number, int) for number in numbers):
        return False
    if not isinstance(chain, bytes) or not isinstance(claims, str):
        return False
    # a limit's place, and what an offer counts in it
    return all(
        re.fullmatch(r"\d{1,9}:-?\d{1,19}", pair, flags=re.ASCII) for pair in entry.claims.split()
    ) and all(place < accounts for place, _ in claims_of(entry))


def linked(before: bytes, entry: EntryRow, secret: bytes) -> bytes:
    """Return an entry's hash, which follows from the one before and from all that it states."""
    tag = hashlib.blake2b(str(entry.decision).encode(), key=secret, digest_size=8).hexdigest()
    content = [
        entry.seq, entry.at, f"d{entry.decision:x}-{tag}", entry.user_id, entry.offer_id,
        entry.reason, entry.state, entry.scene, entry.cost, entry.face, entry.amount,
        entry.expires_at, entry.prices_version, entry.propensity, claims_of(entry),
    ]  # fmt: skip
    return hashlib.sha256(before + json.dumps(content, separators=(",", ":")).encode()).digest()


def claims_of(entry: EntryRow) -> list[tuple[int, int]]:
    """Return the place of each limit that an offer counts in, and what it counts there."""
    pairs = (pair.split(":") for pair in entry.claims.split())
    return [(int(place), int(amount)) for place, amount in pairs]


class ActionRow(NamedTuple):
    """An action as the ledger states it; `after` is the last entry before it."""

    seq: int
    at: int
    after: int
    key: str
    verb: str
    name: str
    change: str
    chain: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedCap:
    """A cap from the entry on that follows `after`."""

    after: int
    limit: str
    at_most: int


def moved_caps(
    rows: Iterable[tuple[Any, ...]], caps: Mapping[str, int | None], findings: CheckFindings
) -> list[MovedCap]:
    """Return the caps that actions moved, in order, as far as the actions are whole.

    Parameters
    ----------
    caps
        The run's.
    """
    moved: list[MovedCap] = []
    chain, after, moment = bytes(32), 0, 0
    for number, row in enumerate(map(ActionRow._make, rows), 1):
        content = json.dumps(list(row[:-1]), separators=(",", ":")).encode()
        chain = hashlib.sha256(chain + content).digest()
        if row.seq != number or chain != row.chain:
            findings.add(say("action {number} is not what was written", number=number))
            break
        if row.after < after or row.at < moment:
            findings.add(say("action {number} is earlier than the one before", number=number))
        if not row.name.strip() or row.verb not in {"accepted", "declined"}:
            findings.add(say("action {number} is nobody's", number=number))
        after, moment = row.after, row.at
        for limit, most in _caps_of(row.change):
            stated = caps.get(limit)
            if stated is None or not isinstance(most, int) or not 0 <= most <= stated:
                findings.add(
                    say(
                        "action {number} moves `{limit}` beyond the run's cap",
                        number=number,
                        limit=limit,
                    )
                )
            else:
                moved.append(MovedCap(after=row.after, limit=limit, at_most=most))
    return moved


def _caps_of(change: str) -> list[tuple[str, object]]:
    """Return the caps that an action's change names, each with where it moves to.

    Raises
    ------
    ValueError
        When the change is none.
    """
    content = json.loads(change)
    caps = content.get("at_most", {}) if isinstance(content, dict) else None
    if isinstance(caps, dict):
        return list(caps.items())
    raise ValueError(say("`{change}` is no change", change=change))


def lookup_checks(database: Any) -> Iterator[tuple[str, str, str]]:  # noqa: ANN401 - either library's
    """Yield the checks of what a ledger looks up: which one, what is wrong, and what counts it."""
    yield (
        "ledger keys",
        "{number} keys have no entry",
        "SELECT count(*) FROM requests WHERE entry NOT IN (SELECT seq FROM entries)",
    )
    yield (
        "ledger keys",
        "{number} keys were answered twice",
        "SELECT count(*) - count(DISTINCT key) FROM requests",
    )
    # a server keeps its indexes itself; files of before have the same
    if not isinstance(database, sqlite3.Connection):
        return
    marks = "SELECT name FROM sqlite_master WHERE name = 'index_marks'"
    if database.execute(marks).fetchone() is None:
        return
    database.create_function("digest", 1, _digest)
    # up to its mark an index is said to be complete
    yield (
        "ledger keys",
        "{number} keys are not found where they are looked up",
        (
            "SELECT count(*) FROM requests r LEFT JOIN request_index i ON i.digest = r.key "
            "WHERE r.seq <= (SELECT seq FROM index_marks WHERE name = 'request_index') "
            "AND i.seq IS NOT r.seq"
        ),
    )
    yield (
        "ledger users",
        "{number} offers are not found where they are looked up",
        (
            "SELECT count(*) FROM decisions d "
            "LEFT JOIN live_index i ON i.digest = digest(d.user_id) "
            "WHERE d.last <= (SELECT seq FROM index_marks WHERE name = 'live_index') "
            "AND (d.state IN ('reserved', 'redeemed')) IS NOT (i.seq IS d.seq)"
        ),
    )


def counted(database: Any, statement: str) -> int:  # noqa: ANN401 - either library's
    """Return what a statement counts, however long that takes; Ctrl-C ends it.

    On a thread beside the one that hears signals: what their handlers raise within `digest` would
    be told by SQLite as an error of the ledger.
    """
    is_file = isinstance(database, sqlite3.Connection)
    stop = database.interrupt if is_file else database.cancel
    (number,) = interruptible(lambda: database.execute(statement).fetchone(), stop=stop)
    return int(number)


def _digest(user_id: str) -> bytes:
    return hashlib.blake2b(user_id.encode(), digest_size=16).digest()


def damage() -> tuple[type[Exception], ...]:
    """Return what a ledger raises that is none, or lacks a table, or holds other types."""
    if "psycopg" not in sys.modules:  # loaded by who reads from a server
        return (sqlite3.Error, ValueError, TypeError)
    import psycopg

    return (sqlite3.Error, psycopg.Error, ValueError, TypeError)


@contextmanager
def opened(ledger: str) -> Iterator[Any]:
    """Yield a connection whose statements all see the ledger as it stood at the first one."""
    if is_database(ledger, where="--ledger"):
        import psycopg

        place = read_database_url(ledger, where="--ledger")
        try:
            parameters: dict[str, Any] = dict(place.parameters)
            server = psycopg.connect(**parameters)
        except psycopg.Error as error:
            raise UnreadableError(say("{shown} cannot be read", shown=place.shown)) from error
        with closing(server):
            server.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            server.execute("SET search_path TO incentive_ledger")
            yield server
        return
    if not Path(ledger).is_file():
        raise UnreadableError(say("{ledger} is missing", ledger=ledger))
    uri = f"{Path(ledger).resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, check_same_thread=False)) as file:
        file.execute("BEGIN")
        yield file
