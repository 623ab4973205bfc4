"""Re-checks a ledger against its run, entry by entry, with nothing of the code that wrote it.

Every entry is read in order, and the books are kept anew: each hash, each change of state, what an
offer costs by the run's own scores, and at each reservation whether every cap held.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from statistics import NormalDist
from typing import Any

from incentive_engine.config.policy import Policy
from incentive_engine.domain import BUDGET, COST, FACE, ISSUED, MICROS, to_micros
from incentive_engine.language import message_of, say
from incentive_engine.parallel import Advance, unheard
from incentive_engine.run.format import RunFile
from incentive_engine.verify.files import StatedRun, listed, read_run
from incentive_engine.verify.ledgers.entries import (
    ENTRIES,
    EntryRow,
    MovedCap,
    claims_of,
    counted,
    damage,
    in_order,
    linked,
    lookup_checks,
    moved_caps,
    opened,
)
from incentive_engine.verify.ledgers.pair_facts import PairFacts
from incentive_engine.verify.recomputed.blocks import UnreadableError
from incentive_engine.verify.result import Check, CheckFindings, Verification


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


def verify_ledger(run_dir: Path, ledger: str, advance: Advance = unheard) -> Verification:
    """Re-check a ledger: the run it belongs to, chain, states, costs, caps and keys.

    Parameters
    ----------
    advance
        Is told which further share of the work is done.
    """
    promises = {
        "ledger run": "the ledger belongs to this run, and has its limits",
        "ledger chain": (
            "entries are numbered without a gap, and each hash follows from the last one"
        ),
        "ledger states": (
            "each decision goes from reserved to one end, in time, within its face value"
        ),
        "ledger users": "no user has two live offers at once",
        "ledger eligibility": "no offer went to who may not have it",
        "ledger offers": "each offer costs, and counts, what the run's scores say",
        "ledger caps": "no reservation passed a cap, and the sums are those of the entries",
        "ledger keys": "each key was answered by one entry, and is found where it is looked up",
        "ledger actions": "what was answered to findings is whole, and named",
    }
    findings = {name: CheckFindings(name, what) for name, what in promises.items()}
    try:
        run = read_run(run_dir, listed(run_dir))
        with opened(ledger) as database:
            _check(run, database, findings, advance)
    except UnreadableError as error:
        findings["ledger run"].add(message_of(error))
    except damage() as error:
        findings["ledger run"].add(say("the ledger cannot be read: {error}", error=error))
    checks: tuple[Check, ...] = tuple(one.check() for one in findings.values())
    return Verification(run_dir=run_dir, checks=checks)


def _check(
    run: StatedRun,
    database: Any,  # noqa: ANN401 - either library's
    findings: dict[str, CheckFindings],
    advance: Advance,
) -> None:
    def rows(statement: str) -> Iterator[Any]:
        cursor = database.cursor()
        yield from cursor.execute(statement)

    secret = _secret(run, rows, findings["ledger run"])
    # an offer may cost nothing by its scores, and who forges one may say so
    offered = "SELECT DISTINCT user_id FROM decisions WHERE offer_id IS NOT NULL"
    truth = PairFacts(run, [user for (user,) in rows(offered)])
    pool = list(rows("SELECT name, at_most, reserved, settled FROM pool ORDER BY place"))
    books = _books(truth, pool, findings["ledger run"])
    caps = {n: account.cap for n, account in zip(books.names, books.accounts, strict=True)}
    actions = "SELECT seq, at, after, key, verb, name, change, chain FROM actions ORDER BY seq"
    books.moved = moved_caps(rows(actions), caps, findings["ledger actions"])
    last = next(rows("SELECT max(seq) FROM entries"))[0] or 1
    # share of the work that are the entries; what is looked up is the rest
    following = 0.8
    # entries after which it is told how far they are
    told = 1 << 14
    count, chain = 0, bytes(32)
    entries = in_order(rows(ENTRIES), findings, accounts=len(books.accounts))
    for count, entry in enumerate(entries, 1):
        chain = linked(chain, entry, secret)
        if chain != entry.chain:
            findings["ledger chain"].add(say("entry {seq} is not what was written", seq=entry.seq))
            break
        _move_caps(entry.seq, books)
        _follow(entry, books, truth, run.policy, findings)
        if not count % told:
            advance(following * told / last)
    advance(following * (count % told) / last)
    head = next(rows("SELECT seq, chain FROM head"), (None, None))
    if tuple(head) != (count, chain):
        findings["ledger chain"].add(
            say(
                "the ledger ends at entry {head}, its entries at {count}",
                head=head[0],
                count=count,
            )
        )
    _check_sums(books, pool, findings["ledger caps"])
    checks = list(lookup_checks(database))
    for check, what, statement in checks:
        if number := counted(database, statement):
            findings[check].add(say(what, number=number))
        advance((1 - following) / len(checks))


def _secret(
    run: StatedRun, rows: Callable[[str], Iterator[Any]], findings: CheckFindings
) -> bytes:
    """Return what the names of decisions are made with, and check that the run is this one."""
    meta = dict(rows("SELECT name, content FROM meta"))
    if not {"run", "secret"} <= meta.keys():
        raise UnreadableError(say("the ledger does not say which run it belongs to"))
    digest = hashlib.sha256((run.directory / RunFile.MANIFEST).read_bytes()).hexdigest()
    if meta["run"] != digest:
        findings.add("the ledger was opened for another run")
    return bytes.fromhex(meta["secret"])


def _books(truth: PairFacts, pool: list[Any], findings: CheckFindings) -> Books:
    caps: dict[str, int | None] = {}
    settles: dict[str, bool] = {}
    for group in truth.groups:
        for name in group.names if not group.report_only else ():
            unit = 1 if group.measures == (ISSUED,) else MICROS
            is_cap = group.at_most is not None and not group.is_ratio
            # a ledger's sums are 64 bits wide: a cap beyond them is kept as 2**62
            most = min(math.floor(Fraction(group.at_most or 0) * unit), 2**62)
            caps[name] = most if is_cap else None
            settles[name] = group.measures in {(COST,), (FACE,)}
    stated = {name: most for name, most, *_ in pool}
    if stated != caps:
        wrong = sorted({*stated} ^ {*caps}) or [n for n in caps if stated[n] != caps[n]]
        findings.add(
            say("`{wrong}` is another limit in the run than in the ledger", wrong=wrong[0])
        )
    names = [name for name, *_ in pool]
    accounts = [Account(cap=caps.get(n), settles=settles.get(n, False)) for n in names]
    return Books(names=names, accounts=accounts)


def _move_caps(seq: int, books: Books) -> None:
    """Let the caps bind that were moved before an entry."""
    while books.moved and books.moved[0].after < seq:
        moved = books.moved.pop(0)
        books.accounts[books.names.index(moved.limit)].cap = moved.at_most


def _after(state: str) -> set[str]:
    """Return which states may follow one: only what is reserved goes on."""
    return {"redeemed", "cancelled", "expired"} if state == "reserved" else set()


def _follow(
    entry: EntryRow,
    books: Books,
    truth: PairFacts,
    policy: Policy,
    findings: dict[str, CheckFindings],
) -> None:
    """Keep the books with one more entry."""
    before = books.states.get(entry.decision)
    allowed = {"none", "reserved"} if before is None else _after(before)
    if entry.state not in allowed or (before is None and entry.decision != entry.seq):
        findings["ledger states"].add(
            say(
                "entry {seq}: {state} after {before}",
                seq=entry.seq,
                state=entry.state,
                before=before,
            )
        )
        return
    books.states[entry.decision] = entry.state
    # only the last entry of a decision says where it stands now
    if entry.last == entry.seq and (entry.final, entry.final_amount) != (
        entry.state,
        entry.amount,
    ):
        findings["ledger states"].add(
            say(
                "decision {decision} is stated to be {final}",
                decision=entry.decision,
                final=entry.final,
            )
        )
    _check_time(entry, findings["ledger states"])
    if entry.state == "none":
        return
    if before is None:
        holder = books.live.setdefault(entry.user_id, entry.decision)
        if holder != entry.decision:
            findings["ledger users"].add(
                say("entry {seq}: the user has decision {holder}", seq=entry.seq, holder=holder)
            )
        _check_offer(entry, books, truth, findings)
    elif entry.state != "redeemed":
        books.live.pop(entry.user_id, None)
    _book(entry, books, policy, findings["ledger caps"])


def _check_time(entry: EntryRow, findings: CheckFindings) -> None:
    ends = entry.expires_at
    if entry.state == "expired" and (ends is None or entry.at < ends):
        findings.add(say("entry {seq} expired too early", seq=entry.seq))
    if entry.state in {"redeemed", "cancelled"} and ends is not None and entry.at >= ends:
        findings.add(say("entry {seq} is too late", seq=entry.seq))
    if entry.state == "redeemed" and not 0 <= (entry.amount or 0) <= entry.face:
        findings.add(say("entry {seq} redeems more than the face value", seq=entry.seq))


def _check_offer(
    entry: EntryRow, books: Books, truth: PairFacts, findings: dict[str, CheckFindings]
) -> None:
    offer = entry.offer_id or ""
    if not truth.knows(entry.user_id):
        return  # decided from features that came with the request
    if (obstacle := truth.obstacle(entry.user_id, offer, seq=entry.seq)) is not None:
        findings["ledger eligibility"].add(obstacle)
        return  # what it would cost is nowhere stated
    _check_amounts(entry, books, truth, findings["ledger offers"])


def _check_amounts(
    entry: EntryRow, books: Books, truth: PairFacts, findings: CheckFindings
) -> None:
    offer = entry.offer_id or ""
    counted = truth.amounts(entry.user_id, offer)
    if (entry.cost, entry.face) != (truth.cost(entry.user_id, offer), truth.face(offer)):
        findings.add(say("entry {seq}: cost or face value is not the run's", seq=entry.seq))
    if {books.names[place]: amount for place, amount in claims_of(entry)} != counted:
        findings.add(say("entry {seq} counts something else than the run says", seq=entry.seq))


def _book(entry: EntryRow, books: Books, policy: Policy, findings: CheckFindings) -> None:
    # whatever ends a reservation gives all of it back; what was redeemed is then settled
    sign = 1 if entry.state == "reserved" else -1
    books.variance += sign * entry.cost * max(entry.face - entry.cost, 0)
    for place, amount in claims_of(entry):
        account = books.accounts[place]
        account.reserved += sign * amount
        if entry.state == "redeemed":
            account.settled += (entry.amount or 0) if account.settles else amount
        if entry.state == "reserved" and account.cap is not None:
            used = account.reserved + account.settled
            if books.names[place] == BUDGET:
                used += _margin(policy, account.reserved, books.variance)
            if used > account.cap:
                findings.add(
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
    # in whole millionths, as the ledger reckons: floats would differ between machines
    error = round(budget.forecast_error * MICROS) * expected // MICROS
    spread = math.isqrt(variance + error * error) + 1
    z = round(NormalDist().inv_cdf(budget.confidence) * MICROS)
    face = max(int(to_micros(offer.face_value)) for offer in policy.offers)
    return z * spread // MICROS + 1 + face


def _check_sums(books: Books, pool: list[Any], findings: CheckFindings) -> None:
    for account, (name, _, reserved, settled) in zip(books.accounts, pool, strict=True):
        if (account.reserved, account.settled) != (reserved, settled):
            findings.add(
                say(
                    "`{name}` states {stated}, its entries {counted}",
                    name=name,
                    stated=f"{reserved} + {settled}",
                    counted=f"{account.reserved} + {account.settled}",
                )
            )
