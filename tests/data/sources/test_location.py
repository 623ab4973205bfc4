"""What may be shown of a location, and which ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.config.access.location import Kind, parse_location
from incentive_engine.errors import ConfigError

SECRET = "hunter2hunter2"  # noqa: S105 - nobody's


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"postgresql://me:{SECRET}@db:5432/crm?table=u", "postgresql://me@db:5432/crm?table=u"),
        (f"postgresql://me:a?{SECRET}#b[@db/crm?table=u", "postgresql://me@db/crm?table=u"),
        (f"postgres:///crm?password={SECRET}&user=me&table=s.u",
         "postgresql:///crm?user=me&table=s.u"),
        (f"postgresql://db/crm?sslpassword={SECRET}&query=SELECT 1 AS a",
         "postgresql://db/crm?query=SELECT 1 AS a"),
        (f"s3://key:{SECRET}@bucket/a.parquet?region=x&secret_key={SECRET}",
         "s3://bucket/a.parquet?region=x"),
    ],
)  # fmt: skip
def test_no_secret_is_shown(text: str, shown: str) -> None:
    location = parse_location(text)
    assert str(location) == shown
    assert SECRET not in f"{location!r} {location} {location.where}"
    assert SECRET in location.address


@pytest.mark.parametrize(
    "password", [f"a/{SECRET}", f"a@{SECRET}", f"{SECRET}/@/x", f"{SECRET}?/x"]
)
def test_a_password_that_hides_where_it_ends_is_refused_unshown(password: str) -> None:
    with pytest.raises(ConfigError, match="is not escaped") as caught:
        parse_location(f"postgresql://me:{password}@db/crm?table=u")
    assert SECRET not in str(caught.value)


@given(st.text(st.characters(codec="ascii", exclude_characters=" "), min_size=6, max_size=12))
def test_no_part_of_any_password_is_shown(noise: str) -> None:
    password = f"XXXX{noise}XXXX"
    told = ""
    try:
        told = parse_location(f"postgresql://me:{password}@host/crm?table=users").shown
    except ConfigError as error:
        told = str(error)
    assert "XXXX" not in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("postgressql://db/crm?table=u", "did you mean `postgresql`?"),
        ("file:///tmp/a.csv", "a local file is named by its path"),
        ("postgresql://db/crm", "names no table"),
        ("sqlite:///a.db?table=u&query=SELECT 1", "names both a table and a query"),
        ("duckdb://a.db?table=u", "names no file"),
        ("s3://", "names no bucket"),
    ],
)
def test_what_is_no_location_is_refused_with_a_remedy(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_location(text)
    assert message in str(caught.value)


def test_paths_start_from_the_folder_of_the_document(tmp_path: Path) -> None:
    assert parse_location("a/b.csv", folder=tmp_path).path == tmp_path / "a" / "b.csv"
    location = parse_location("sqlite:///a.db?table=t", folder=tmp_path)
    assert (location.kind, location.path) == (Kind.SQLITE, tmp_path / "a.db")
    absolute = parse_location("duckdb:////srv/a.db?query=SELECT a FROM b", folder=tmp_path)
    assert (absolute.path, absolute.query) == (Path("/srv/a.db"), "SELECT a FROM b")
