"""Tables and queries of databases, from files and a server that their own tools wrote."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pytest

from export.postgres_server import binaries, server
from incentive_engine.config.access.location import parse_location
from incentive_engine.data.sources import open_source
from incentive_engine.data.sources.source import Source
from incentive_engine.errors import IncentiveError

PASSWORD = "hunter2hunter2"  # noqa: S105 - nobody's


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCENTIVE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed: make postgres")
    with server(programs) as url, psycopg.connect(url) as connection:
        connection.execute("CREATE SCHEMA crm")
        connection.execute(
            "CREATE TABLE crm.users (user_id text, tier text, balance numeric(12, 2), age int,"
            " seen timestamptz, joined date, vip boolean, note text)"
        )
        connection.execute(
            "INSERT INTO crm.users SELECT lpad(i::text, 4, '0'), CASE WHEN i % 3 > 0 THEN"
            " 'T' || i % 3 END, i / 4.0, nullif(i % 5, 0), TIMESTAMPTZ '2026-11-01 08:00+08' +"
            " i * INTERVAL '1 hour', DATE '2026-01-01' + i, i % 2 = 0,"
            " CASE i % 4 WHEN 0 THEN '' WHEN 1 THEN NULL ELSE E'a \"b\",\\n金' END"
            " FROM generate_series(1, 1000) i"
        )
        connection.execute("SET search_path = crm")
        connection.execute("CREATE VIEW lapsed AS SELECT * FROM users WHERE age IS NULL")
        connection.commit()
        yield url


def opened(location: str) -> Source:
    return open_source(parse_location(location))


def complaint(location: str) -> str:
    with pytest.raises(IncentiveError) as caught:
        opened(location)
    return str(caught.value)


def test_a_table_of_postgresql_comes_with_its_types_and_gaps(postgres: str) -> None:
    table = opened(f"{postgres}&table=crm.users").table()
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == {
        "user_id": pa.string(), "tier": pa.string(), "balance": pa.float64(),
        "age": pa.float64(), "seen": pa.timestamp("us"), "joined": pa.timestamp("ms"),
        "vip": pa.bool_(), "note": pa.string(),
    }  # fmt: skip
    third, fourth = table.slice(2, 2).to_pylist()
    assert (third["user_id"], third["tier"], third["balance"]) == ("0003", None, 0.75)
    assert str(third["seen"]) == "2026-11-01 03:00:00"
    assert (third["note"], fourth["note"], fourth["vip"]) == ('a "b",\n金', "", True)
    assert table["note"].null_count == 250


def test_a_query_of_postgresql_reads_and_cannot_write(postgres: str) -> None:
    query = "SELECT tier, count(*) AS n FROM crm.users WHERE age > 2 GROUP BY 1 ORDER BY 1"
    assert opened(f"{postgres}&query={query};").table()["n"].to_pylist() == [133, 133, 134]
    for writing in (
        "DELETE FROM crm.users",
        "SELECT 1; DELETE FROM crm.users",
        "SELECT nextval('s')",
        "WITH gone AS (DELETE FROM crm.users RETURNING 1) SELECT * FROM gone",
    ):
        assert "postgresql://tester@/postgres" in complaint(f"{postgres}&query={writing}")
    assert opened(f"{postgres}&table=crm.users").rows() == 1000
    opened(f"{postgres}&query=SELECT lo_create(0) AS written")
    with psycopg.connect(postgres) as connection:
        found = connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone()
    assert found == (0,)


def test_a_query_of_postgresql_is_blamed_for_itself_without_repeating_values(
    postgres: str,
) -> None:
    query = "SELECT ('Ann ' || user_id)::int FROM crm.users"
    assert "a value does not fit its type" in complaint(f"{postgres}&query={query}")
    assert "the query fails" in complaint(f"{postgres}&query=SELECT no_such(1)")
    query = "SELECT age FROM crm.users -- all"
    assert opened(f"{postgres}&query={query}").rows() == 1000


def test_times_of_postgresql_say_whether_they_name_their_zone(postgres: str) -> None:
    assert opened(f"{postgres}&table=crm.users").zoned() == {"seen"}


def test_the_same_rows_are_kept_once_and_others_anew(postgres: str) -> None:
    first = opened(f"{postgres}&table=crm.lapsed")
    assert opened(f"{postgres}&table=crm.lapsed").digest() == first.digest()
    with psycopg.connect(postgres) as connection:
        connection.execute("UPDATE crm.users SET age = NULL WHERE user_id = '0001'")
    changed = opened(f"{postgres}&table=crm.lapsed")
    assert changed.digest() != first.digest()
    assert (first.rows(), changed.rows()) == (200, 201)


def test_a_misspelt_table_is_told_with_the_nearest(postgres: str) -> None:
    message = complaint(f"{postgres}&table=crm.userss")
    assert "there is no table `crm.userss`; did you mean `crm.users`?" in message


def test_a_misspelt_column_and_a_wrong_query_are_told(postgres: str) -> None:
    query = "SELECT agee FROM crm.users"
    assert 'column "agee" does not exist' in complaint(f"{postgres}&query={query}")
    assert "the query fails" in complaint(f"{postgres}&query=SELEKT 1")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{PASSWORD}@127.0.0.1:9/crm?table=users",
        f"postgresql://me:{PASSWORD}%zz@127.0.0.1:9/crm?table=users",
        f"postgresql://me:{PASSWORD}@127.0.0.1:9/crm?nonsense=1&table=users",
        f"postgresql://127.0.0.1:9/crm?user=me&password={PASSWORD}&table=users",
    ],
)
def test_no_message_about_a_server_shows_a_password(url: str) -> None:
    assert PASSWORD not in complaint(url)


def sqlite_file(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE users (user_id TEXT, age INTEGER, spend, mixed, empty);"
            "INSERT INTO users VALUES ('007', 31, 1, 1, NULL), ('8', NULL, 2.5, 'x', NULL);"
            "CREATE VIEW old AS SELECT * FROM users WHERE age > 30;"
        )
    return path


def test_a_table_or_view_of_sqlite_comes_with_the_types_of_its_values(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / "a.db")
    table = opened(f"sqlite:///{path}?table=users").table()
    assert table.to_pydict() == {
        "user_id": ["007", "8"], "age": [31.0, None], "spend": [1.0, 2.5],
        "mixed": ["1", "x"], "empty": [None, None],
    }  # fmt: skip
    assert opened(f"sqlite:///{path}?table=old").table()["user_id"].to_pylist() == ["007"]
    query = "SELECT age FROM users LIMIT 1"
    assert opened(f"sqlite:///{path}?query={query}").rows() == 1


@pytest.mark.parametrize(
    "query",
    ["DELETE FROM users", "SELECT 1; DROP TABLE users", "ATTACH '/tmp/x.db' AS x", "SELEKT 1"],
)
def test_a_query_that_does_more_than_read_sqlite_is_refused(tmp_path: Path, query: str) -> None:
    path = sqlite_file(tmp_path / "a.db")
    before = path.read_bytes()
    assert "the query fails" in complaint(f"sqlite:///{path}?query={query}")
    assert path.read_bytes() == before


def test_rows_that_sqlite_wrote_into_its_log_are_seen(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / "a.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO users (user_id) VALUES ('9')")
        connection.commit()
        assert opened(f"sqlite:///{path}?table=users").rows() == 3
        connection.execute("INSERT INTO users (user_id) VALUES ('10')")
        connection.commit()
        assert opened(f"sqlite:///{path}?table=users").rows() == 4


def duckdb_file(path: Path) -> Path:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA crm")
        connection.execute(
            "CREATE TABLE crm.users AS SELECT i AS user_id, i / 3 AS share, 1.25::DECIMAL(9, 2)"
            " AS price, 'a'::ENUM('a', 'b') AS tier, 5::HUGEINT AS big, [i] AS tags"
            " FROM range(300000) t(i)"
        )
        connection.execute("CREATE VIEW few AS SELECT user_id, tier FROM crm.users LIMIT 3")
    return path


def test_a_table_or_view_of_duckdb_comes_in_its_order(tmp_path: Path) -> None:
    path = duckdb_file(tmp_path / "a.duckdb")
    source = opened(f"duckdb:///{path}?table=crm.users")
    assert source.rows() == 300_000
    wanted = [name for name in source.columns if name != "tags"]
    first = source.table(wanted).slice(1, 1).to_pylist()[0]
    assert first == {"user_id": 1, "share": 1 / 3, "price": 1.25, "tier": "a", "big": 5.0}
    assert opened(f"duckdb:///{path}?table=few").table()["user_id"].to_pylist() == [0, 1, 2]
    with pytest.raises(IncentiveError, match=r"columns hold lists or structures: tags"):
        source.table()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("DROP TABLE crm.users", "not one statement that reads"),
        ("SELECT 1; SELECT 2", "not one statement that reads"),
        ("SELECT * FROM read_csv('/etc/passwd')", "/etc/passwd"),
        ("COPY crm.users TO '/tmp/x.csv'", "not one statement that reads"),
        ("SELECT agee FROM crm.users", "agee"),
        ("SELEKT", "the query fails"),
    ],
)
def test_a_query_that_does_more_than_read_duckdb_is_refused(
    tmp_path: Path, query: str, message: str
) -> None:
    path = duckdb_file(tmp_path / "a.duckdb")
    assert message in complaint(f"duckdb:///{path}?query={query}")


def test_a_query_may_end_with_a_comment(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / "a.db")
    query = "SELECT age FROM users -- all"
    assert opened(f"sqlite:///{path}?query={query}").rows() == 2


def test_times_of_duckdb_say_whether_they_name_their_zone(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "a.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE log AS SELECT TIMESTAMPTZ '2026-11-01 08:00+08' AS at,"
            " TIMESTAMP '2026-11-01 08:00' AS local"
        )
    source = opened(f"duckdb:///{tmp_path}/a.duckdb?table=log")
    assert source.zoned() == {"at"}
    times = {name: str(value) for name, value in source.table().to_pylist()[0].items()}
    assert times == {"at": "2026-11-01 00:00:00", "local": "2026-11-01 08:00:00"}


def test_a_value_that_duckdb_cannot_convert_is_not_repeated(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "a.duckdb")) as connection:
        connection.execute("CREATE TABLE users AS SELECT 'Ann Smith' AS name")
    query = "SELECT name::INT AS x FROM users"
    told = complaint(f"duckdb:///{tmp_path}/a.duckdb?query={query}")
    assert "Ann Smith" not in told
    assert "a value does not fit its type" in told


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_database_files_that_are_not_there_or_none_are_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "text.db").write_text("this is no database, " * 100)
    assert "no such file" in complaint(f"{kind}:///{tmp_path}/none.db?table=t")
    assert f"four slashes: {kind}:////" in complaint(f"{kind}:///none/none.db?table=t")
    assert "a database file" in complaint(f"{kind}:///{tmp_path}?table=t")
    assert "atabase" in complaint(f"{kind}:///{tmp_path}/text.db?table=t")


def test_a_misspelt_table_of_a_file_is_told_with_the_nearest(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / "a.db")
    assert "did you mean `users`?" in complaint(f"sqlite:///{path}?table=user")
    path = duckdb_file(tmp_path / "a.duckdb")
    assert "did you mean `crm.users`?" in complaint(f"duckdb:///{path}?table=crm.user")
