"""Re-checks a ledger against its run, entry by entry, with nothing of the code that wrote it.

Every entry is read in order, and the books are kept anew: each hash, each change of state, what an
offer costs by the run's own scores, and at each reservation whether every cap held.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from statistics import NormalDist
from typing import Any, Final, NamedTuple

from incentive_engine.config.access.database_url import is_database, read_database_url
from incentive_engine.config.policy import Policy
from incentive_engine.domain import COST, FACE, ISSUED, MICROS, to_micros
from incentive_engine.language import message_of, say

from .files import Run, listed, read_run
from .ledger_actions import MovedCap, moved_caps
from .ledger_truth import Truth
from .recomputed.blocks import UnreadableError
from .recomputed.limits import BUDGET
from .result import Check, Findings, Verification

ROWS: Final = (
    "SELECT e.seq, e.at, e.decision, e.state, e.amount, e.chain, d.user_id, d.offer_id, d.reason, "
    "d.scene, d.cost, d.face, d.claims, d.expires_at, d.prices_version, d.propensity, d.state, "
    "d.amount, d.last FROM entries e LEFT JOIN decisions d ON d.seq = e.decision ORDER BY e.seq"
)
ACTIONS: Final = "SELECT seq, at, after, key, verb, name, change, chain FROM actions ORDER BY seq"
AFTER: Final = {
    "none": frozenset[str](),
    "reserved": frozenset({"redeemed", "cancelled", "expired"}),
    "redeemed": frozenset[str](),
    "cancelled": frozenset[str](),
    "expired": frozenset[str](),
}
"""Which states may follow which."""

WHAT: Final = {
    "ledger run": "the ledger belongs to this run, and has its limits",
    "ledger chain": "entries are numbered without a gap, and each hash follows from the last one",
    "ledger states": "each decision goes from reserved to one end, in time, within its face value",
    "ledger users": "no user has two live offers at once",
    "ledger offers": "each offer costs, and counts, what the run's scores say",
    "ledger caps": "no reservation passed a cap, and the sums are those of the entries",
    "ledger keys": "each key was answered by an entry",
    "ledger actions": "what was answered to findings is whole, and named",
}


class Row(NamedTuple):
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


@dataclass(slots=True, kw_only=True)
class Account:
    """What one limit's entries add up to."""

    cap: int | None
    settles: bool
    reserved: int = 0
    settled: int = 0


@dataclass(slots=True, kw_only=True)
class Books:
    """All accounts, by place, and what is open."""

    names: list[str]
    accounts: list[Account]
    moved: list[MovedCap] = field(default_factory=list)
    states: dict[int, str] = field(default_factory=dict)
    live: dict[str, int] = field(default_factory=dict)
    variance: int = 0


def verify_ledger(run_dir: Path, ledger: str) -> Verification:
    """Re-check a ledger: the run it belongs to, chain, states, costs, caps and keys."""
    found = {name: Findings(name, what) for name, what in WHAT.items()}
    try:
        run = read_run(run_dir, listed(run_dir))
        with closing(_connected(ledger)) as database:
            _check(run, database, found)
    except UnreadableError as error:
        found["ledger run"].add(message_of(error))
    except (sqlite3.Error, ValueError, TypeError) as error:
        found["ledger run"].add(say("the ledger cannot be read: {error}", error=error))
    checks: tuple[Check, ...] = tuple(findings.check() for findings in found.values())
    return Verification(run_dir=run_dir, checks=checks)


def _check(run: Run, database: Any, found: dict[str, Findings]) -> None:  # noqa: ANN401 - either library's
    def rows(statement: str) -> Iterator[Any]:
        cursor = database.cursor()
        yield from cursor.execute(statement)

    meta = dict(rows("SELECT name, content FROM meta"))
    digest = hashlib.sha256((run.directory / "manifest.json").read_bytes()).hexdigest()
    if meta["run"] != digest:
        found["ledger run"].add("the ledger was opened for another run")
    users = [user for (user,) in rows("SELECT DISTINCT user_id FROM decisions WHERE cost > 0")]
    truth = Truth(run, users)
    pool = list(rows("SELECT name, at_most, reserved, settled FROM pool ORDER BY place"))
    books = _books(truth, pool, found["ledger run"])
    caps = {n: account.cap for n, account in zip(books.names, books.accounts, strict=True)}
    books.moved = moved_caps(rows(ACTIONS), caps, found["ledger actions"])
    secret, chain, count, last = bytes.fromhex(meta["secret"]), bytes(32), 0, 0
    for entry in map(Row._make, rows(ROWS)):
        count += 1
        if entry.seq != count:
            found["ledger chain"].add(say("entry {count} is missing", count=count))
            break
        if entry.at < last:
            found["ledger states"].add(
                say("entry {seq} is earlier than the one before", seq=entry.seq)
            )
        chain, last = _linked(chain, entry, secret), entry.at
        if chain != bytes(entry.chain):
            found["ledger chain"].add(say("entry {seq} is not what was written", seq=entry.seq))
            break
        _move_caps(entry.seq, books)
        _follow(entry, books, truth, run.policy, found)
    head = next(rows("SELECT seq, chain FROM head"))
    if (head[0], bytes(head[1])) != (count, chain):
        found["ledger chain"].add(
            say(
                "the ledger ends at entry {head}, its entries at {count}",
                head=head[0],
                count=count,
            )
        )
    _check_sums(books, pool, found["ledger caps"])
    lost = "SELECT count(*) FROM requests WHERE entry NOT IN (SELECT seq FROM entries)"
    if number := next(rows(lost))[0]:
        found["ledger keys"].add(say("{number} keys have no entry", number=number))


def _books(truth: Truth, pool: list[Any], found: Findings) -> Books:
    caps: dict[str, int | None] = {}
    settles: dict[str, bool] = {}
    for group in truth.groups:
        for name in group.names if not group.report_only else ():
            unit = 1 if group.measures == (ISSUED,) else MICROS
            is_cap = group.at_most is not None and not group.is_ratio
            caps[name] = math.floor(Fraction(group.at_most or 0) * unit) if is_cap else None
            settles[name] = group.measures in {(COST,), (FACE,)}
    stated = {name: most for name, most, *_ in pool}
    if stated != caps:
        wrong = sorted({*stated} ^ {*caps}) or [n for n in caps if stated[n] != caps[n]]
        found.add(say("`{wrong}` is another limit in the run than in the ledger", wrong=wrong[0]))
    names = [name for name, *_ in pool]
    accounts = [Account(cap=caps.get(n), settles=settles.get(n, False)) for n in names]
    return Books(names=names, accounts=accounts)


def _move_caps(seq: int, books: Books) -> None:
    """Let the caps bind that were moved before an entry."""
    while books.moved and books.moved[0].after < seq:
        moved = books.moved.pop(0)
        books.accounts[books.names.index(moved.limit)].cap = moved.at_most


def _linked(before: bytes, entry: Row, secret: bytes) -> bytes:
    tag = hashlib.blake2b(str(entry.decision).encode(), key=secret, digest_size=8).hexdigest()
    claims = [[int(n) for n in pair.split(":")] for pair in (entry.claims or "").split()]
    content = [
        entry.seq, entry.at, f"d{entry.decision:x}-{tag}", entry.user_id, entry.offer_id,
        entry.reason, entry.state, entry.scene, entry.cost, entry.face, entry.amount,
        entry.expires_at, entry.prices_version, entry.propensity, claims,
    ]  # fmt: skip
    return hashlib.sha256(before + json.dumps(content, separators=(",", ":")).encode()).digest()


def _follow(
    entry: Row, books: Books, truth: Truth, policy: Policy, found: dict[str, Findings]
) -> None:
    """Keep the books with one more entry."""
    before = books.states.get(entry.decision)
    allowed = {"none", "reserved"} if before is None else AFTER[before]
    if entry.state not in allowed or (before is None and entry.decision != entry.seq):
        found["ledger states"].add(
            say(
                "entry {seq}: {state} after {before}",
                seq=entry.seq,
                state=entry.state,
                before=before,
            )
        )
        return
    books.states[entry.decision] = entry.state
    if entry.last == entry.seq and (entry.final, entry.final_amount) != (
        entry.state,
        entry.amount,
    ):
        found["ledger states"].add(
            say(
                "decision {decision} is stated to be {final}",
                decision=entry.decision,
                final=entry.final,
            )
        )
    _check_time(entry, found["ledger states"])
    if entry.state == "none":
        return
    if before is None:
        holder = books.live.setdefault(entry.user_id, entry.decision)
        if holder != entry.decision:
            found["ledger users"].add(
                say("entry {seq}: the user has decision {holder}", seq=entry.seq, holder=holder)
            )
        _check_offer(entry, books, truth, found["ledger offers"])
    elif entry.state != "redeemed":
        books.live.pop(entry.user_id, None)
    _book(entry, books, policy, found["ledger caps"])


def _check_time(entry: Row, found: Findings) -> None:
    ends = entry.expires_at
    if entry.state == "expired" and (ends is None or entry.at < ends):
        found.add(say("entry {seq} expired too early", seq=entry.seq))
    if entry.state in {"redeemed", "cancelled"} and ends is not None and entry.at >= ends:
        found.add(say("entry {seq} is too late", seq=entry.seq))
    if entry.state == "redeemed" and not 0 <= (entry.amount or 0) <= entry.face:
        found.add(say("entry {seq} redeems more than the face value", seq=entry.seq))


def _check_offer(entry: Row, books: Books, truth: Truth, found: Findings) -> None:
    offer = entry.offer_id or ""
    counted = truth.amounts(entry.user_id, offer)
    if counted is None:
        return  # decided from features that came with the request; the run does not know the user
    if (entry.cost, entry.face) != (truth.cost(entry.user_id, offer), truth.face(offer)):
        found.add(say("entry {seq}: cost or face value is not the run's", seq=entry.seq))
    if {books.names[place]: amount for place, amount in _claims(entry)} != counted:
        found.add(say("entry {seq} counts something else than the run says", seq=entry.seq))


def _claims(entry: Row) -> list[tuple[int, int]]:
    pairs = (pair.split(":") for pair in entry.claims.split())
    return [(int(place), int(amount)) for place, amount in pairs]


def _book(entry: Row, books: Books, policy: Policy, found: Findings) -> None:
    sign = 1 if entry.state == "reserved" else -1
    books.variance += sign * entry.cost * max(entry.face - entry.cost, 0)
    for place, amount in _claims(entry):
        account = books.accounts[place]
        account.reserved += sign * amount
        if entry.state == "redeemed":
            account.settled += (entry.amount or 0) if account.settles else amount
        if entry.state == "reserved" and account.cap is not None:
            used = account.reserved + account.settled
            if books.names[place] == BUDGET:
                used += _margin(policy, account.reserved, books.variance)
            if used > account.cap:
                found.add(
                    say(
                        "entry {seq} passed `{names}` by {used}",
                        seq=entry.seq,
                        names=books.names[place],
                        used=used - account.cap,
                    )
                )


def _margin(policy: Policy, expected: int, variance: int) -> int:
    """Return what a budget at risk must keep back, millionths; otherwise 0."""
    budget = policy.budget
    if budget is None or budget.basis != "at-risk" or expected <= 0:
        return 0
    error = round(budget.forecast_error * MICROS) * expected // MICROS
    spread = math.isqrt(variance + error * error) + 1
    z = round(NormalDist().inv_cdf(budget.confidence) * MICROS)
    face = max(int(to_micros(offer.face_value)) for offer in policy.offers)
    return z * spread // MICROS + 1 + face


def _check_sums(books: Books, pool: list[Any], found: Findings) -> None:
    for account, (name, _, reserved, settled) in zip(books.accounts, pool, strict=True):
        if (account.reserved, account.settled) != (reserved, settled):
            found.add(
                say(
                    "`{name}` states {stated}, its entries {counted}",
                    name=name,
                    stated=f"{reserved} + {settled}",
                    counted=f"{account.reserved} + {account.settled}",
                )
            )


def _connected(ledger: str) -> Any:  # noqa: ANN401 - either library's
    if is_database(ledger, where="--ledger"):
        import psycopg

        place = read_database_url(ledger, where="--ledger")
        try:
            parameters: dict[str, Any] = dict(place.parameters)
            database = psycopg.connect(**parameters)
            database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            database.execute("SET search_path TO incentive_ledger")
        except psycopg.Error as error:
            raise UnreadableError(say("{shown} cannot be read", shown=place.shown)) from error
        return database
    if not Path(ledger).is_file():
        raise UnreadableError(say("{ledger} is missing", ledger=ledger))
    file = sqlite3.connect(f"{Path(ledger).resolve().as_uri()}?mode=ro", uri=True)
    file.execute("BEGIN")
    return file
