"""A ledger is re-checked entry by entry: what was written verifies, and any change is found."""

from __future__ import annotations

import math
import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from incentive_engine.live.campaign import LiveCampaign
from incentive_engine.live.entries import entries, write_entries
from incentive_engine.live.ledger.commands import Act, Cancel, Command, Decided, Redeem, Reserve
from incentive_engine.live.ledger.ledger import Ledger
from incentive_engine.live.ledger.stores.sqlite_store import SQLiteStore
from incentive_engine.live.opening import open_campaign
from incentive_engine.verify.files import listed, read_run
from incentive_engine.verify.ledgers.entries import (
    ENTRIES,
    EntryRow,
    counted,
    linked,
    lookup_checks,
    opened,
)
from incentive_engine.verify.ledgers.ledger import verify_ledger
from incentive_engine.verify.ledgers.pair_facts import PairFacts
from service.runs import plan, solved

START = 1_800_000_000_000_000
HOLD = 60_000_000


def asked(campaign: LiveCampaign, user: str, number: int) -> Reserve:
    choice = campaign.choose(user)
    assert choice is not None
    return Reserve(
        key=b"%16d" % number,
        digest=b"digest",
        user_id=user,
        offer_id=choice.offer_id,
        reason=choice.reason,
        scene="cart",
        cost=choice.cost,
        face=choice.face,
        claims=choice.claims,
        hold=HOLD,
        until=None,
        prices_version=0,
        propensity=choice.propensity,
    )


@pytest.fixture(scope="module", params=["expected", "at-risk"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run and its ledger: redeemed, cancelled, expired, open, none."""
    folder = tmp_path_factory.mktemp("written")
    run = solved(folder, budget={"amount": 60.0, "basis": request.param})
    campaign = open_campaign(run)
    ledger = Ledger(SQLiteStore(folder / "ledger", campaign.terms, secret=bytes(16)))
    now = START
    for number, row in enumerate(plan(run)):
        now += HOLD // 20
        (answer,) = ledger.apply([asked(campaign, row["user_id"], number)], now)
        assert isinstance(answer, Decided)
        ends: dict[int, Command] = {
            0: Redeem(answer.name, answer.decision.face // 2, b"", b""),
            1: Cancel(answer.name, b"", b""),
        }
        if number % 3 in ends:
            ledger.apply([ends[number % 3]], now)
    lower = '{"at_most": {"budget": 59000000}}'
    ledger.apply([Act("runs_dry:budget", "accepted", "Li", lower, 0)], now)
    ledger.close()
    return folder


def test_what_was_written_verifies(written: Path) -> None:
    verification = verify_ledger(written / "run", str(written / "ledger"))
    assert verification.ok, verification.to_text()


def test_it_is_told_how_far_a_ledger_is_verified(written: Path) -> None:
    told: list[float] = []
    verify_ledger(written / "run", str(written / "ledger"), told.append)
    assert sum(told) == pytest.approx(1.0)


def test_ctrl_c_while_what_is_looked_up_is_counted_is_no_damage_of_the_ledger(
    written: Path,
) -> None:
    forever = (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) "
        "SELECT count(digest(CAST(n AS TEXT))) FROM c"
    )
    pressed = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    with opened(str(written / "ledger")) as database:
        list(lookup_checks(database))  # makes `digest`
        pressed.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            counted(database, forever)
    assert time.monotonic() - began < 10


def test_a_cap_that_no_sum_reaches_is_kept_as_the_largest(tmp_path: Path) -> None:
    far = {"limits": [{"name": "far", "sum": "cost", "at_most": 1e18}]}
    run = solved(tmp_path, budget={"amount": 60.0}, demands=far)
    campaign = open_campaign(run)
    ledger = Ledger(SQLiteStore(tmp_path / "ledger", campaign.terms, secret=bytes(16)))
    user = next(row["user_id"] for row in plan(run) if row["offer_id"])
    (answer,) = ledger.apply([asked(campaign, user, 1)], START)
    assert isinstance(answer, Decided)
    ledger.close()
    verification = verify_ledger(run, str(tmp_path / "ledger"))
    assert verification.ok, verification.to_text()


def test_every_entry_is_written_out(written: Path, tmp_path: Path) -> None:
    out = tmp_path / "entries.parquet"
    number = write_entries(str(written / "ledger"), out)
    table = pq.read_table(out)
    assert table.num_rows == number
    assert table.column_names[:6] == ["seq", "at", "decision_id", "user_id", "offer_id", "state"]
    assert set(table["state"].to_pylist()) == {
        *("reserved", "redeemed", "cancelled", "expired", "none")
    }
    assert write_entries(str(written / "ledger"), tmp_path / "entries.csv") == number
    assert sum(map(len, entries(str(written / "ledger")))) == number


Change = Callable[[sqlite3.Connection], object]

CHANGES: dict[str, tuple[str, Change]] = {
    "a cost that was lowered": (
        "ledger chain",
        lambda db: db.execute("UPDATE decisions SET cost = cost - 1 WHERE state = 'reserved'"),
    ),
    "an amount that was raised": (
        "ledger chain",
        lambda db: db.execute("UPDATE entries SET amount = amount + 1 WHERE amount IS NOT NULL"),
    ),
    "an entry that was removed": (
        "ledger chain",
        lambda db: db.execute("DELETE FROM entries WHERE seq = 5"),
    ),
    "the last entry removed": (
        "ledger chain",
        lambda db: db.execute("DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries)"),
    ),
    "a user exchanged": (
        "ledger chain",
        lambda db: db.execute("UPDATE decisions SET user_id = 'x' WHERE seq = 1"),
    ),
    "a state turned back": (
        "ledger states",
        lambda db: db.execute("UPDATE decisions SET state = 'cancelled' WHERE state = 'redeemed'"),
    ),
    "a sum that was lowered": (
        "ledger caps",
        lambda db: db.execute("UPDATE pool SET settled = settled - 1 WHERE name = 'budget'"),
    ),
    "a cap that was raised": (
        "ledger run",
        lambda db: db.execute("UPDATE pool SET at_most = at_most + 1 WHERE name = 'budget'"),
    ),
    "another run": (
        "ledger run",
        lambda db: db.execute("UPDATE meta SET content = 'abc' WHERE name = 'run'"),
    ),
    "somebody else's name under an action": (
        "ledger actions",
        lambda db: db.execute("UPDATE actions SET name = 'Wang'"),
    ),
    "an answer that was lost": (
        "ledger keys",
        lambda db: db.execute("UPDATE requests SET entry = 100000 WHERE entry = 1"),
    ),
    "a key that was answered twice": (
        "ledger keys",
        lambda db: db.execute(
            "INSERT INTO requests SELECT 100000, key, digest, entry FROM requests LIMIT 1"
        ),
    ),
    "a key that is not in the index": (
        "ledger keys",
        lambda db: db.execute("UPDATE index_marks SET seq = 5 WHERE name = 'request_index'"),
    ),
    "an offer that is not in the index": (
        "ledger users",
        lambda db: db.execute("UPDATE index_marks SET seq = 9999 WHERE name = 'live_index'"),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_ledger_that_was_changed_is_refused(written: Path, tmp_path: Path, name: str) -> None:
    check, change = CHANGES[name]
    bent = tmp_path / "ledger"
    shutil.copy(written / "ledger", bent)
    with sqlite3.connect(bent) as database:
        change(database)
    database.close()
    failures = {c.name for c in verify_ledger(written / "run", str(bent)).failures}
    assert check in failures


def chain_anew(database: sqlite3.Connection) -> None:
    """Let every hash fit what the ledger says: its secret stands in it."""
    (secret,) = database.execute("SELECT content FROM meta WHERE name = 'secret'").fetchone()
    chain = bytes(32)
    for entry in map(EntryRow._make, database.execute(ENTRIES).fetchall()):
        chain = linked(chain, entry, bytes.fromhex(secret))
        database.execute("UPDATE entries SET chain = ? WHERE seq = ?", (chain, entry.seq))
    database.execute("UPDATE head SET chain = ?", (chain,))


FORGERIES: dict[str, tuple[str, str]] = {
    "offers that cost nothing": (
        "ledger offers",
        "UPDATE decisions SET cost = 0, claims = '' WHERE offer_id IS NOT NULL",
    ),
    "a claim on a limit that is not there": (
        "ledger chain",
        "UPDATE decisions SET claims = '99:1' WHERE seq = 1",
    ),
    "claims that are none": ("ledger chain", "UPDATE decisions SET claims = 'x' WHERE seq = 1"),
    "a cost that is text": ("ledger chain", "UPDATE decisions SET cost = 'x' WHERE seq = 1"),
    "a decision that is gone": ("ledger chain", "DELETE FROM decisions WHERE seq = 1"),
    "no end": ("ledger chain", "DELETE FROM head"),
    "no run": ("ledger run", "DELETE FROM meta WHERE name = 'run'"),
    "no secret": ("ledger run", "DELETE FROM meta WHERE name = 'secret'"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_ledger_whose_hashes_were_made_anew_is_refused(
    written: Path, tmp_path: Path, name: str
) -> None:
    check, statement = FORGERIES[name]
    bent = tmp_path / "ledger"
    shutil.copy(written / "ledger", bent)
    with sqlite3.connect(bent) as database:
        if "meta" not in statement:
            database.execute(statement)
            with suppress(ValueError, TypeError, AttributeError):  # what cannot be hashed
                chain_anew(database)
        else:
            chain_anew(database)
            database.execute(statement)
    database.close()
    failures = {c.name for c in verify_ledger(written / "run", str(bent)).failures}
    assert check in failures


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run with a holdout, an offer for one region alone, and a pair without scores."""
    rules = [{"offers": ["b"], "where": {"region": ["north"]}}]
    return solved(
        tmp_path_factory.mktemp("guarded"), demands={"eligibility": rules}, unscored={"a": 0}
    )


@pytest.mark.parametrize(
    ("who", "offer", "what"),
    [
        (lambda row: row["reason"] == "holdout", "a", "is held out"),
        (lambda row: row["region"] == "south", "b", "the rules forbid"),
        (lambda row: row["row"] == 0, "a", "a score of the offer is missing"),
        (lambda row: row["region"] == "north", "c", "is none of the policy's"),
        (lambda row: row["region"] == "north", "b", ""),
    ],
)
def test_an_offer_for_who_may_not_have_it_is_found(
    guarded: Path, tmp_path: Path, who: Callable[[dict[str, object]], bool], offer: str, what: str
) -> None:
    table = pq.read_table(guarded.parent / "scores.parquet").to_pylist()
    rows = [
        own | {"region": known["region"], "row": place}
        for place, (own, known) in enumerate(zip(plan(guarded), table, strict=True))
    ]
    held = {row["user_id"] for row in rows if row["reason"] == "holdout"}
    user = next(
        r["user_id"] for r in rows if who(r) and (r["user_id"] in held) == ("held" in what)
    )
    command = forged(open_campaign(guarded), user, offer)
    ledger = Ledger(SQLiteStore(tmp_path / "l", open_campaign(guarded).terms, secret=bytes(16)))
    ledger.apply([command], START)
    ledger.close()
    verification = verify_ledger(guarded, str(tmp_path / "l"))
    problems = {check.name: str(check.problem) for check in verification.failures}
    if not what:
        assert verification.ok, verification.to_text()
    else:
        assert what in problems["ledger eligibility"]
        assert user not in verification.to_text()


def forged(campaign: LiveCampaign, user: str, offer: str) -> Reserve:
    """Return what reserves an offer as the run would book it, whoever may have it."""
    command = asked(campaign, user, 1)
    known = campaign.population.find(user)
    assert known is not None
    place = {"a": 0, "b": 1}.get(offer, 0)
    cost = known.user.measures["cost"][place]
    micros = 0 if math.isnan(cost) else math.ceil(round(cost * 1e6, 3))
    facts = PairFacts(read_run(campaign.run.directory, listed(campaign.run.directory)), [user])
    counted = {} if offer == "c" else facts.amounts(user, offer) if micros else {}
    claims = sorted((campaign.places[name], amount) for name, amount in (counted or {}).items())
    return command._replace(
        offer_id=offer,
        reason="offered",
        cost=micros,
        face=[10_000_000, 20_000_000][place],
        claims=tuple(claims),
    )


def test_what_is_no_ledger_fails(written: Path, tmp_path: Path) -> None:
    assert not verify_ledger(written / "run", str(tmp_path / "none")).ok
    (tmp_path / "text").write_text("no ledger")
    assert not verify_ledger(written / "run", str(tmp_path / "text")).ok
