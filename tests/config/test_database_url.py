from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.config.access.database_url import is_database, read_database_url
from incentive_engine.errors import ConfigError


def test_a_url_of_another_kind_is_no_path_and_is_not_repeated() -> None:
    assert is_database("postgresql://me:hush@db/crm", where="--ledger")
    assert not is_database("runs/a@b:c.ledger", where="--ledger")
    with pytest.raises(ConfigError) as caught:
        is_database("mysql://me:hush@db/crm", where="--ledger")
    assert str(caught.value) == (
        "--ledger: `mysql://` cannot be read, expected a file, or postgresql://…"
    )


@pytest.mark.parametrize(
    ("url", "password", "shown"),
    [
        ("postgresql://me:hush@db:5432/crm", "hush", "postgresql://me@db:5432/crm"),
        ("postgres://me:hu?sh@db/crm", "hu?sh", "postgresql://me@db/crm"),
        ("postgresql://me:hu#sh@db/crm", "hu#sh", "postgresql://me@db/crm"),
        ("postgresql://me:[hush@db/crm", "[hush", "postgresql://me@db/crm"),
        ("postgresql://me:hu]sh@[::1]:1/crm", "hu]sh", "postgresql://me@[::1]:1/crm"),
        ("postgresql://me:hu%2Fsh@db/crm", "hu/sh", "postgresql://me@db/crm"),
        ("postgresql://me:hu%25sh%40@db/crm", "hu%sh@", "postgresql://me@db/crm"),
        ("postgresql://me@db/crm?password=hush", "hush", "postgresql://me@db/crm"),
        ("postgresql://me@/crm?host=/tmp", None, "postgresql://me@/crm?host=/tmp"),
        ("postgresql://db", None, "postgresql://db/"),
    ],
)
def test_a_url_is_read_as_the_client_library_reads_it(
    url: str, password: str | None, shown: str
) -> None:
    database = read_database_url(url, where="--to")
    assert database.parameters.get("password") == password
    assert database.shown == shown
    assert "hu" not in repr(database)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hu/sh@db/crm",
        "postgresql://me:hu%sh@db/crm",
        "postgresql://me:hush%@db/crm",
        "postgresql://me:hu@sh@db/crm",
        "postgresql://me:hu?s/h@db/crm",
        "postgresql://me:hush/crm",
        "postgresql://me:hush",
        "postgresql://db/crm?pasword=hush",
        "postgresql://[hush",
    ],
)
def test_what_it_does_not_understand_is_refused_without_a_word_of_it(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_database_url(url, where="--to")
    assert "hu" not in str(raised.value)
    assert raised.value.__suppress_context__


SECRET = st.text(st.sampled_from("qQzZ?#/%[]@:&= \\'\"ä"), min_size=3, max_size=12).map(
    lambda text: f"XqX{text}XzX"
)


@given(secret=SECRET)
def test_no_part_of_any_password_is_shown(secret: str) -> None:
    try:
        shown = read_database_url(f"postgresql://me:{secret}@db/crm", where="--to").shown
    except ConfigError as error:
        shown = str(error)
    assert "XqX" not in shown
    assert "XzX" not in shown
