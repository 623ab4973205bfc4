"""The program in odd surroundings: closed streams, other locales, too little room."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from incentive_engine.cli.terminal.surroundings import check_surroundings
from incentive_engine.errors import SetupError

POLICY = """\
version: 1
name: small
offers: [{id: a, face_value: 5}]
holdout: 0.1
"""
PROGRAM = f"{sys.executable} -c 'from incentive_engine.cli import run; run()'"


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "p.yaml").write_text(POLICY)
    return tmp_path


def shell(
    folder: Path, line: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell in which INCENTIVE is the program."""
    return subprocess.run(  # noqa: S602 - our own line
        line.replace("INCENTIVE", PROGRAM),
        shell=True,
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_fault(folder: Path, closed: str) -> None:
    ended = shell(folder, f"INCENTIVE check p.yaml {closed}; echo code $? >code")
    assert (folder / "code").read_text() == "code 0\n", ended.stderr
    assert ended.stderr == ""


def test_a_reader_that_went_away_is_no_fault(folder: Path) -> None:
    ended = shell(folder, "(sleep 1; INCENTIVE check p.yaml; echo code $? >code) | true; sleep 0")
    assert (folder / "code").read_text() == "code 0\n"
    assert ended.stderr == ""


def test_names_that_are_no_text_in_a_locale_are_told(folder: Path) -> None:
    (folder / "策略.yaml").write_text(POLICY)
    odd = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert shell(folder, "INCENTIVE check 策略.yaml", {"LC_ALL": "POSIX"}).returncode == 0
    ended = shell(folder, "INCENTIVE check 策略.yaml", odd)
    assert ended.returncode == 2
    assert "is not UTF-8 in this locale; set LC_ALL=C.UTF-8" in ended.stderr
    ended = shell(folder, "INCENTIVE check $(printf 'a\\377.yaml')")
    assert ended.returncode == 2
    assert "is not UTF-8" in ended.stderr


def test_too_little_address_space_is_told_before_anything_loads(folder: Path) -> None:
    ended = shell(folder, "ulimit -v 1500000; INCENTIVE check p.yaml")
    assert ended.returncode == 2
    assert "address space: is limited to 1.4 GiB, expected at least 3 GiB" in ended.stderr
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


def test_too_few_threads_are_told_before_anything_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    # the limit of a user does not bind root, who runs tests in containers
    started: list[threading.Thread] = []

    def start(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    monkeypatch.setattr(threading.Thread, "join", lambda _: None)
    with pytest.raises(SetupError) as refused:
        check_surroundings(["check"])
    assert str(refused.value).startswith("threads: only 2 can be started, expected ")
    assert "ulimit -u" in str(refused.value)


@pytest.mark.parametrize("format_of", ["duckdb", "source"])
def test_a_missing_duckdb_is_told_with_what_brings_it(folder: Path, format_of: str) -> None:
    (folder / "duckdb.py").write_text("raise ImportError('no duckdb')")
    (folder / "t.db").write_bytes(b"")
    words = "allocate p.yaml --budget 9 --scores 'duckdb:///t.db?table=t' --out run"
    if format_of == "duckdb":
        (folder / "s.csv").write_text("user_id,conversion__a,cost__a\n1,0.1,1\n2,0.2,1\n")
        made = shell(folder, "INCENTIVE allocate p.yaml --budget 9 --scores s.csv --out run")
        assert made.returncode == 0, made.stderr
        words = "export run --to offers.duckdb --accept holdout"
    ended = shell(folder, f"INCENTIVE {words}", {"PYTHONPATH": str(folder)})
    assert ended.returncode == 2
    assert "duckdb: is not installed; pip install 'incentive-engine[duckdb]'" in ended.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"check {'x' * 300}.yaml", "the name is too long"),
        ("check p.yaml/x", "a directory"),
        (f"allocate p.yaml --budget 1 --scores s.csv --out {'x' * 300}", "too long"),
        ("allocate p.yaml --budget 1 --scores p.yaml/x.csv", "p.yaml/x.csv"),
        ("check loop.yaml", "links go round"),
    ],
)
def test_what_the_system_says_of_a_name_is_said_in_words(
    folder: Path, words: str, message: str
) -> None:
    (folder / "loop.yaml").symlink_to("loop.yaml")
    ended = shell(folder, f"INCENTIVE {words}")
    assert ended.returncode == 2, ended.stderr
    assert message in ended.stderr
    assert "Errno" not in ended.stderr


@pytest.mark.parametrize("place", ["/dev/zero", "pipe"])
def test_what_never_ends_is_not_read(folder: Path, place: str) -> None:
    os.mkfifo(folder / "pipe")
    ended = shell(folder, f"INCENTIVE check {place}")
    assert ended.returncode == 2
    assert "expected a YAML file" in ended.stderr


def test_json_that_is_nested_too_deeply_is_bad_input(folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "manifest.json").write_text("[" * 100_000)
    ended = shell(folder, "INCENTIVE verify run")
    assert ended.returncode in {1, 2}
    assert "internal" not in ended.stderr


def test_ten_thousand_limits_are_refused_at_once(folder: Path) -> None:
    limit = "  - {name: l%d, sum: issued, at_most: %d}"
    lines = [limit % (number, number + 1) for number in range(1_001)]
    (folder / "p.yaml").write_text(POLICY + "limits:\n" + "\n".join(lines))
    ended = shell(folder, "INCENTIVE check p.yaml")
    assert ended.returncode == 2
    assert "limits: has 1,001 items, expected at most 1,000" in ended.stderr
