"""Against a real server: Debian's package `postgresql`, or any whose programs are on the PATH."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from incentive_engine.errors import ConfigError, DataError
from incentive_engine.export import selection
from incentive_engine.export.export import Exported, ExportOptions
from incentive_engine.export.postgres import export_to_postgres
from incentive_engine.export.rows import OfferRows
from incentive_engine.export.selection import Filters
from incentive_engine.run.finished import read_run

from .exports import AWKWARD, KEY, everyone_treated, made, passed
from .postgres_server import binaries, server

PROGRAMS = binaries()
pytestmark = pytest.mark.skipif(
    PROGRAMS is None, reason="no PostgreSQL server: apt-get install postgresql"
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    assert PROGRAMS is not None
    with server(PROGRAMS) as url:
        yield url


@pytest.fixture
def url(cluster: str) -> Iterator[str]:
    yield cluster
    with psycopg.connect(cluster) as connection:
        connection.execute("DROP TABLE IF EXISTS incentive_offers, mine")


def load(
    run: Path, url: str, *, table: str = "incentive_offers", prune: bool = False, **options: Any
) -> Exported:
    return export_to_postgres(
        read_run(run),
        url,
        verification=passed(run),
        options=ExportOptions(**options),
        table=table,
        prune=prune,
    )


def rows(
    url: str, query: str = "SELECT user_id, offer_id FROM incentive_offers ORDER BY cost"
) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_awkward_ids_arrive_as_they_are(url: str, tmp_path: Path) -> None:
    done = load(everyone_treated(tmp_path / "run", AWKWARD), url)
    assert (done.rows, done.is_new) == (6, True)
    assert [user for user, _ in rows(url)] == AWKWARD


def test_money_and_dates_arrive_exactly(url: str, tmp_path: Path) -> None:
    load(made(tmp_path, valid_to="2026-11-11"), url)
    found = rows(
        url,
        "SELECT campaign, cost, face_value, valid_from, "
        "to_char(valid_to AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM incentive_offers "
        "WHERE offer_id = 'a'",
    )
    assert found == [("by hand", Decimal(1), Decimal(10), None, "2026-11-11 15:59:59")]


def test_a_second_run_changes_no_row_and_says_so(url: str, tmp_path: Path) -> None:
    run = made(tmp_path)
    load(run, url)
    before = rows(url, "SELECT xmin::text, * FROM incentive_offers ORDER BY user_id")
    again = load(run, url)
    assert "nothing to do" in str(again.lines()[0])
    assert rows(url, "SELECT xmin::text, * FROM incentive_offers ORDER BY user_id") == before


def test_another_run_of_the_campaign_updates_users_and_names_those_it_leaves(
    url: str, tmp_path: Path
) -> None:
    load(everyone_treated(tmp_path / "first", range(101, 107)), url)
    second = made(tmp_path)
    done = load(second, url)
    assert "4 rows of `by hand` hold offers of other runs; --prune removes them" in done.notes
    assert len(rows(url)) == 6
    pruned = load(second, url, prune=True)
    assert "4 rows of `by hand` removed" in pruned.notes
    assert rows(url) == [("102", "a"), ("101", "b")]


def test_a_filter_brings_only_what_it_leaves(url: str, tmp_path: Path) -> None:
    load(made(tmp_path), url, filters=Filters(offers=("a",)))
    assert rows(url) == [("102", "a")]


def test_hashed_ids_arrive_in_place_of_names(url: str, tmp_path: Path) -> None:
    load(made(tmp_path), url, hash_ids=True, key=KEY)
    assert {len(user) for user, _ in rows(url)} == {64}


def test_a_table_of_another_shape_is_refused_with_all_that_is_in_the_way(
    url: str, tmp_path: Path
) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE TABLE mine (campaign text, user_id bigint, offer_id text, face_value numeric, "
            "valid_from timestamptz, valid_to date, run varchar(80), owner text NOT NULL)"
        )
    with pytest.raises(DataError) as raised:
        load(made(tmp_path), url, table="mine")
    message = str(raised.value)
    assert "mine: column user_id is int8, expected text" in message
    assert "column cost is missing, expected numeric" in message
    assert "column valid_to is date, expected timestamptz" in message
    assert "column owner must be filled" in message
    assert "no unique index on exactly campaign, user_id" in message
    assert rows(url, "SELECT count(*) FROM mine") == [(0,)]


def test_a_table_with_more_columns_than_needed_will_do(url: str, tmp_path: Path) -> None:
    run = made(tmp_path)
    load(run, url)
    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE incentive_offers")
        connection.execute(
            "ALTER TABLE incentive_offers ADD loaded timestamptz NOT NULL DEFAULT now()"
        )
    assert load(run, url).is_new
    assert len(rows(url)) == 2


@pytest.mark.parametrize("batch", [1, 3])
def test_a_connection_lost_in_the_middle_changes_nothing(
    batch: int, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(everyone_treated(tmp_path / "first", range(6)), url)
    before = rows(url, "SELECT * FROM incentive_offers ORDER BY user_id")
    monkeypatch.setattr(selection, "ROWS", 1)
    real = OfferRows.batches

    def cut(self: OfferRows) -> Iterator[pa.RecordBatch]:
        for number, one in enumerate(real(self)):
            if number == batch:
                terminate_others(url)
            yield one

    monkeypatch.setattr(OfferRows, "batches", cut)
    second = everyone_treated(tmp_path / "second", range(100, 106))
    with pytest.raises(DataError, match=r"went away: .*; the table is as it was before"):
        load(second, url)
    assert rows(url, "SELECT * FROM incentive_offers ORDER BY user_id") == before
    monkeypatch.setattr(OfferRows, "batches", real)
    assert load(second, url).rows == 6


def terminate_others(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def test_two_exports_of_a_campaign_at_once_do_not_mix(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path)
    holds, go_on = threading.Event(), threading.Event()
    real = OfferRows.batches

    def slow(self: OfferRows) -> Iterator[pa.RecordBatch]:
        holds.set()
        assert go_on.wait(20)
        yield from real(self)

    monkeypatch.setattr(OfferRows, "batches", slow)
    first = threading.Thread(target=load, args=(run, url))
    first.start()
    try:
        assert holds.wait(20)
        with pytest.raises(DataError, match="another process is exporting `by hand`"):
            load(run, url)
    finally:
        go_on.set()
        first.join()
    assert len(rows(url)) == 2


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    address = "postgresql://me:hush@127.0.0.1:1/crm"
    with pytest.raises(DataError) as raised:
        load(made(tmp_path), address)
    assert "postgresql://me@127.0.0.1:1/crm: the server does not answer" in str(raised.value)
    assert "hush" not in str(raised.value)


def test_what_the_server_refuses_is_said_without_a_customers_row(url: str, tmp_path: Path) -> None:
    load(made(tmp_path), url)
    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE incentive_offers")
        connection.execute("ALTER TABLE incentive_offers ADD CHECK (user_id <> '101')")
    with pytest.raises(DataError) as raised:
        load(tmp_path / "run", url)
    assert "violates check constraint" in str(raised.value)
    assert "101" not in str(raised.value)


def test_a_preset_makes_no_sense_for_a_table(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a table has one form"):
        load(made(tmp_path), url, preset="csv")
