"""What a ledger does with each command, step by step."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.errors import DataError
from incentive_engine.live.ledger import schema
from incentive_engine.live.ledger.chain import link
from incentive_engine.live.ledger.commands import (
    Find,
    Pool,
    Preview,
    Previewed,
    Publish,
    Published,
    Refused,
    ShowPool,
    ShowPrices,
)
from incentive_engine.live.ledger.records import Decision, Names, RiskMargin
from incentive_engine.live.ledger.stores.sqlite_store import copy

from .ledgers import (
    BUDGET,
    HOLD,
    START,
    STOCK,
    TO_VERSION_3,
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


def test_a_reservation_holds_its_expected_cost_until_it_is_redeemed(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    name, decision = decided(*book.apply([reserve("u")], START))
    assert decision.state == "reserved"
    assert decision.expires_at == START + HOLD
    assert pool(book)[BUDGET] == (10 * YUAN, 0)
    _, decision = decided(*book.apply([redeem(name, 20 * YUAN)], START + 1))
    assert (decision.state, decision.amount) == ("redeemed", 20 * YUAN)
    assert pool(book)[BUDGET] == (0, 20 * YUAN)


def test_no_reservation_passes_a_cap_and_the_last_unit_is_given_once(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    commands = [reserve(claims=((STOCK, 1),)) for _ in range(5)]
    reasons = [decided(answer)[1].reason for answer in book.apply(commands, START)]
    assert reasons == ["offered", "offered", "pool_empty", "pool_empty", "pool_empty"]
    assert pool(book)[STOCK] == (2, 0)


def test_a_redemption_may_cost_more_than_expected_and_less_is_left(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a", terms(budget=30 * YUAN))
    names = [decided(a)[0] for a in book.apply([reserve() for _ in range(3)], START)]
    book.apply([redeem(name, 20 * YUAN) for name in names], START)
    assert pool(book)[BUDGET] == (0, 60 * YUAN)
    _, decision = decided(*book.apply([reserve()], START))
    assert decision.reason == "pool_empty"


def test_cancelled_and_expired_reservations_return_to_the_pool(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    first, second = (decided(a)[0] for a in book.apply([reserve(), reserve()], START))
    _, decision = decided(*book.apply([cancel(first)], START))
    assert decision.state == "cancelled"
    book.apply([], START + HOLD)
    assert pool(book, START + HOLD)[BUDGET] == (0, 0)
    assert book.apply([redeem(second, 1)], START + HOLD) == [Refused("closed", "expired")]
    assert book.apply([redeem(first, 1)], START) == [Refused("closed", "cancelled")]


def test_a_reservation_is_over_at_its_very_last_moment(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    name, _ = decided(*book.apply([reserve()], START))
    assert decided(*book.apply([Find(name)], START + HOLD - 1))[1].state == "reserved"
    assert decided(*book.apply([Find(name)], START + HOLD))[1].state == "expired"


def test_a_key_has_one_answer_for_ever(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    command = reserve("u", named=key("k"))
    (first,) = book.apply([command], START)
    name, _ = decided(first)
    book.apply([redeem(name, 5 * YUAN)], START + 5)
    assert book.apply([command, command], START + 9) == [first, first]
    assert book.apply([command._replace(digest=key("other"))], START) == [Refused("key_reused")]
    book.close()
    assert ledger(tmp_path / "a").apply([command], START + 10 * HOLD) == [first]


def test_another_key_gives_the_offer_that_the_user_has(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    (first, second) = book.apply([reserve("u"), reserve("u")], START)
    assert first == second
    name, _ = decided(first)
    book.apply([redeem(name, YUAN)], START)
    (third,) = book.apply([reserve("u")], START)
    assert decided(third)[1].state == "redeemed"
    assert pool(book)[BUDGET] == (0, YUAN)


def test_a_user_whose_offer_ran_out_may_have_another_one(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    first, _ = decided(*book.apply([reserve("u")], START))
    second, decision = decided(*book.apply([reserve("u")], START + HOLD))
    assert first != second
    assert decision.state == "reserved"


def test_redeeming_twice_changes_nothing(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    name, _ = decided(*book.apply([reserve()], START))
    once = book.apply([redeem(name, 7 * YUAN, key("r"))], START)
    assert book.apply([redeem(name, 9 * YUAN)], START + 1) == once
    assert book.apply([redeem(name, 7 * YUAN, key("r"))], START + 1) == once
    assert pool(book)[BUDGET] == (0, 7 * YUAN)
    assert book.apply([cancel(name)], START) == [Refused("closed", "redeemed")]


def test_nothing_above_the_face_value_is_redeemed(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    name, _ = decided(*book.apply([reserve()], START))
    answers = book.apply([redeem(name, 20 * YUAN + 1)], START)
    assert answers == [Refused("above_face", str(20 * YUAN))]
    assert pool(book)[BUDGET] == (10 * YUAN, 0)


def test_a_user_without_an_offer_is_noted_and_asked_again(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    name, decision = decided(*book.apply([reserve("u", offer=None)], START))
    assert (decision.state, decision.reason, decision.cost) == ("none", "priced_out", 0)
    assert book.apply([redeem(name, 1)], START) == [Refused("closed", "none")]
    assert decided(*book.apply([reserve("u")], START))[1].state == "reserved"


def test_a_preview_reserves_nothing(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    asks = [Preview("u", cost, cost, ((BUDGET, cost),)) for cost in (100 * YUAN, 100 * YUAN + 1)]
    assert book.apply(asks, START) == [Previewed(None, None, True), Previewed(None, None, False)]
    assert pool(book) == [(0, 0)] * 3


def test_time_never_runs_backwards(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    book.apply([reserve()], START)
    _, decision = decided(*book.apply([reserve()], START - HOLD))
    assert decision.decided_at == START


def test_a_budget_at_risk_keeps_a_margin_for_all_that_is_open(tmp_path: Path) -> None:
    risk = RiskMargin(z_ppm=2_000_000, error_ppm=0, face=20 * YUAN)
    book = ledger(tmp_path / "a", terms(risk=risk))
    answers = book.apply([reserve() for _ in range(9)], START)
    given = sum(decided(answer)[1].state == "reserved" for answer in answers)
    # n offers of 10 ± 10 hold 10 n + 2 * 10 sqrt(n) + 20: 40 + 40 + 20 for four
    assert given == 3  # the margin is rounded up, and four would need all of it
    (shown,) = book.apply([ShowPool()], START)
    assert isinstance(shown, Pool)
    assert shown.limits[BUDGET].margin == pytest.approx(20 * YUAN * (1 + 3**0.5), abs=9)


def test_unknown_decisions_are_told_apart_from_those_of_the_ledger(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    name, _ = decided(*book.apply([reserve()], START))
    guessed = ["", "d", "d1", "d1-0", name + "0", Names(b"other").of(1), "d-", "dé-1", "d" * 99]
    assert book.apply([Find(guess) for guess in guessed], START) == [Refused("unknown")] * 9


def test_a_ledger_has_one_writer_and_one_run(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    with pytest.raises(DataError, match="another process writes it"):
        ledger(tmp_path / "a")
    book.close()
    with pytest.raises(DataError, match="ledger of another run"):
        ledger(tmp_path / "a", terms(run="other"))
    with pytest.raises(DataError, match="ledger of another run"):
        ledger(tmp_path / "a", terms(budget=5))
    ledger(tmp_path / "a").close()


def test_what_is_no_ledger_is_refused_and_kept(tmp_path: Path) -> None:
    text, other = tmp_path / "text", tmp_path / "other.db"
    text.write_text("no database, however long this text of somebody's may be" * 50)
    with pytest.raises(DataError, match="is no ledger"):
        ledger(text)
    sqlite3.connect(other).execute("CREATE TABLE mine (x)")
    with pytest.raises(DataError, match="is no ledger"):
        ledger(other)
    with pytest.raises(DataError, match="cannot be opened"):
        ledger(tmp_path / "missing" / "a")


def test_an_older_ledger_is_brought_up_to_date_and_a_newer_one_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = ledger(tmp_path / "a")
    name, _ = decided(*book.apply([reserve()], START))
    book.close()
    later = (*schema.MIGRATIONS, schema.Migration("CREATE TABLE later (x TEXT)"))
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", later)
        book = ledger(tmp_path / "a")
        assert decided(*book.apply([Find(name)], START))[1].state == "reserved"
        book.close()
    with pytest.raises(
        DataError, match=f"version {len(later)}, expected at most {len(later) - 1}"
    ):
        ledger(tmp_path / "a")


def test_a_step_of_files_alone_leaves_the_version_of_a_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = (schema.Migration("a"), schema.Migration(file="b"), schema.Migration("c"))
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    assert schema.scripts_from(0, "x", is_file=True) == ("a", "b", "c")
    assert schema.scripts_from(1, "x", is_file=False) == ("c",)
    assert (schema.newest_version(is_file=True), schema.newest_version(is_file=False)) == (3, 2)
    with pytest.raises(DataError, match="version 3, expected at most 2"):
        schema.scripts_from(3, "x", is_file=False)


def test_keys_and_offers_of_an_older_ledger_are_found_in_its_new_indexes(tmp_path: Path) -> None:
    book, again = ledger(tmp_path / "a"), [reserve("Li"), reserve("Wang"), reserve("Zhao")]
    answers = book.apply(again, START)
    ended, _ = decided(answers[1])
    book.apply([cancel(ended)], START)
    book.close()
    with closing(sqlite3.connect(tmp_path / "a")) as file:
        file.executescript(TO_VERSION_3)
    book = ledger(tmp_path / "a")
    assert book.apply(again, START) == answers
    li, wang = book.apply([reserve("Li"), reserve("Wang")], START)
    assert decided(li)[0] == decided(answers[0])[0]
    assert decided(wang)[0] != ended
    book.close()


def test_a_copy_is_made_while_the_ledger_is_written(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    name, _ = decided(*book.apply([reserve()], START))
    copy(tmp_path / "a", tmp_path / "b")
    book.apply([redeem(name, YUAN)], START)
    assert decided(*ledger(tmp_path / "b").apply([Find(name)], START))[1].state == "reserved"
    with pytest.raises(DataError, match="is there already"):
        copy(tmp_path / "a", tmp_path / "b")
    with pytest.raises(DataError, match="no such ledger"):
        copy(tmp_path / "c", tmp_path / "d")


def test_the_database_itself_takes_no_sum_above_a_cap(tmp_path: Path) -> None:
    ledger(tmp_path / "a").close()
    database = sqlite3.connect(tmp_path / "a")
    with pytest.raises(sqlite3.IntegrityError):
        database.execute("UPDATE pool SET reserved = 100000001 WHERE name = 'budget'")


@given(
    user=st.text(min_size=1),
    scene=st.none() | st.text(),
    propensity=st.floats(0, 1),
    amount=st.none() | st.integers(0, 2**62),
    claims=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 2**62)), max_size=3),
)
def test_the_chain_hashes_an_entry_as_json_without_spaces(
    user: str,
    scene: str | None,
    propensity: float,
    amount: int | None,
    claims: list[tuple[int, int]],
) -> None:
    decision = Decision(
        1, user, None, "offered", "reserved", scene, 5, 7, amount, tuple(claims), 3, None, 2,
        propensity, 1,
    )  # fmt: skip
    row = [9, 8, "d1-0", user, None, "offered", "reserved", scene, 5, 7, amount, None, 2]
    text = json.dumps([*row, propensity, claims], separators=(",", ":"))
    expected = hashlib.sha256(bytes(32) + text.encode()).digest()
    assert link(bytes(32), seq=9, at=8, name="d1-0", decision=decision) == expected


def test_of_two_who_publish_prices_the_first_is_followed(tmp_path: Path) -> None:
    book = ledger(tmp_path / "a")
    assert book.apply([ShowPrices()], START) == [Refused("unknown")]
    first, second = book.apply([Publish(3, "mine"), Publish(3, "yours")], START)
    assert first == second == Published(3, START, "mine")
    book.close()
    book = ledger(tmp_path / "a")
    (third,) = book.apply([Publish(4, "yours")], START + 1)
    assert book.apply([ShowPrices()], START + 2) == [third] == [Published(4, START + 1, "yours")]
    book.close()
