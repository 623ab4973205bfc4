"""What cannot work is refused with what to do about it, and by its right exit code."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from service.runs import solved

from .conftest import Incentive


@pytest.fixture
def silent() -> str:
    """Return the URL of a database that does not answer: nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"postgresql://shop:secret@127.0.0.1:{port}/live"


def test_a_ledger_whose_database_does_not_answer_is_refused_with_a_remedy(
    incentive: Incentive, tmp_path: Path, silent: str
) -> None:
    run = solved(tmp_path / "spring")
    for words in (
        ("ledger", silent),
        ("watch", run, "--ledger", silent),
        ("serve", run, "--port", "0", "--ledger", silent),
        ("export", run, "--to", tmp_path / "o.csv", "--ledger", silent),
        ("learn", run, "--outcomes", tmp_path / "o.csv", "--into", "t", "--ledger", silent),
    ):
        ended = incentive(*words)
        assert ended.returncode == 2, (words, ended)
        remedies = ("see to the database", "see that")
        assert any(remedy in ended.stderr for remedy in remedies), (words, ended.stderr)
        assert "key" not in ended.stderr  # whoever only reads has none to ask again with
        assert "secret" not in ended.stderr


def test_a_csv_with_none_of_the_columns_names_what_it_has(
    incentive: Incentive, tmp_path: Path
) -> None:
    solved(tmp_path / "spring")
    odd = tmp_path / "odd.csv"
    odd.write_text("kunde,umsatz\n1,2\n", encoding="utf-8")
    ended = incentive("allocate", "spring/policy.yaml", "--scores", odd, "--out", "r")
    assert ended.returncode == 2
    assert "user_id" in ended.stderr
    assert "kunde" in ended.stderr
    assert "Traceback" not in ended.stderr
