"""A campaign whose ledger is a database is found by the folder's list, and shows no password."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from export.postgres_server import binaries, server
from incentive_engine.errors import ConfigError
from incentive_engine.workflow.studio.folder import Folder
from incentive_engine.workflow.studio.ledgers import read_ledgers
from workflow.conftest import program

from .harness import Caller, page_of


@pytest.fixture
def ledgers(folder: Path) -> Iterator[Path]:
    yield folder / "ledgers.yaml"
    (folder / "ledgers.yaml").unlink()


def test_a_password_may_stand_in_the_environment(
    ledgers: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER_PASSWORD", "secret")
    ledgers.write_text("run: postgresql://ann:$LEDGER_PASSWORD@127.0.0.1/live\n", encoding="utf-8")
    shown = Folder(folder)
    assert shown.ledger(folder / "run") == "postgresql://ann:secret@127.0.0.1/live"
    assert shown.ledger(folder / "other") is None


@pytest.mark.parametrize(
    "text", ["- a", "7", "run: {", "run: sqlite:///x", "run: mysql://ann:secret@h/x", "run: 7"]
)
def test_a_list_of_anything_else_is_refused_without_what_it_holds(
    ledgers: Path, text: str
) -> None:
    ledgers.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_ledgers(ledgers)
    assert "secret" not in str(caught.value)
    assert "ledgers.yaml" in str(caught.value)


def test_a_database_that_does_not_answer_is_said_without_its_password(
    planner: Caller, ledgers: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ledgers.write_text(f"run: postgresql://ann:secret@127.0.0.1:{port}/live\n", encoding="utf-8")
    page = planner.get(page_of("run", "campaign"))
    assert page.status == 409
    assert "does not answer" in page.text
    for text in (page.text, planner.get("/").text, planner.get(page_of("run", "run")).text):
        assert "secret" not in text
        assert "127.0.0.1:" not in text or text is page.text


@pytest.mark.slow
@pytest.mark.skipif(binaries() is None, reason="no PostgreSQL server: make postgres")
def test_a_campaign_in_a_database_is_followed(
    planner: Caller, ledgers: Path, folder: Path, tmp_path: Path
) -> None:
    programs = binaries()
    assert programs is not None
    with server(programs) as url:
        words = ("export", "run", "--to", str(tmp_path / "o.csv"), "--ledger", url)
        ended = program(folder, tmp_path / "cache", *words)
        assert ended.returncode == 0, ended.stderr
        ledgers.write_text(f"run: {url}\n", encoding="utf-8")
        page = planner.get(page_of("run", "campaign"))
        assert page.status == 200, page.text
        assert url not in page.text
        assert "/campaign?path=run" in planner.get("/").text
