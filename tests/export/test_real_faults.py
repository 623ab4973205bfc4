"""Exports by a user who may not, and to a disk that is really full; both need root to set up."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from incentive_engine.errors import DataError

from .exports import everyone_treated, exported, files, made

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="not root: real permissions and a full disk were NOT tried"
)

PROGRAM = """
import contextlib, io, json, os, sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
from export.exports import made
from incentive_engine.cli import main

def tried(*words):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            code = main(["export", *map(str, words), "--accept", "holdout"])
        except SystemExit as end:
            code = end.code
    return [code or 0, out.getvalue()]

folder = Path(sys.argv[1])
for name in ("a.csv", "a.parquet", "a.duckdb"):  # as root, so that all that it needs is loaded
    code, said = tried(folder / "warm" / "run", "--to", folder / "warm" / name)
    assert code == 0, said
assert tried(folder / "warm" / "run", "--to", "nowhere.txt")[0] == 2  # loads the messages
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
told = dict()
for name in ("a.csv", "a.parquet", "a.duckdb", "parts"):
    words = ("--preset", "excel") if name == "parts" else ()
    told[name] = tried(folder / "mine" / "run", "--to", folder / "shut" / name, *words)
told["theirs"] = tried(folder / "theirs" / "run", "--to", folder / "open" / "a.csv")
told["unreadable"] = tried(folder / "unreadable" / "run", "--to", folder / "open" / "b.csv")
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Return a folder that everybody may look into, unlike pytest's own."""
    made_here = Path(tempfile.mkdtemp(prefix="incentive-faults-"))
    made_here.chmod(0o755)
    yield made_here
    shutil.rmtree(made_here)


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, tuple[int, str]]:
    """Return exit codes and messages of exports by the user nobody."""
    for name in ("warm", "mine", "theirs", "unreadable"):
        (folder / name).mkdir()
        run = made(folder / name)
        if name in {"mine", "unreadable"}:
            run.chmod(0o777)
    (folder / "unreadable" / "run" / "allocation.parquet").chmod(0o600)
    (folder / "shut").mkdir(mode=0o755)
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)
    code = PROGRAM.format(tests=str(Path(__file__).parents[1]))
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, tuple[int, str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.duckdb", "parts"])
def test_another_user_who_may_not_write_there_is_told_so(
    name: str, folder: Path, told: dict[str, tuple[int, str]]
) -> None:
    code, said = told[name]
    assert code == 2
    assert f"{folder / 'shut' / name}: may not be written to" in said
    assert list((folder / "shut").iterdir()) == []


def test_a_run_of_somebody_else_is_not_exported_without_a_note_of_it(
    folder: Path, told: dict[str, tuple[int, str]]
) -> None:
    code, said = told["theirs"]
    assert code == 2
    where = folder / "theirs" / "run"
    assert f"{where}: may not be written to, and exports are noted there" in said
    assert list((folder / "open").iterdir()) == []


def test_a_run_that_may_not_be_read_is_told_so(
    folder: Path, told: dict[str, tuple[int, str]]
) -> None:
    code, said = told["unreadable"]
    file = folder / "unreadable" / "run" / "allocation.parquet"
    assert code == 2
    assert f"{file}: cannot be read: access is not permitted" in said


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 80 kB in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=80k", "tmpfs", str(place)]
    if subprocess.run(words, check=False, capture_output=True).returncode:  # noqa: S603
        pytest.skip("no file system can be mounted here: a full disk was NOT tried")
    yield place
    subprocess.run(["umount", str(place)], check=True)  # noqa: S603, S607


@pytest.mark.parametrize(
    ("name", "preset"),
    [("a.csv", None), ("a.parquet", None), ("a.duckdb", None), ("a", "csv"), ("a", "parquet")],
)
def test_a_disk_that_is_really_full_leaves_nothing_half_and_the_next_try_ends_the_same(
    name: str, preset: str | None, tmp_path: Path, disk: Path
) -> None:
    ids = [os.urandom(15_000).hex() + str(user) for user in range(6)]
    run = everyone_treated(tmp_path / "run", ids)
    with pytest.raises(DataError, match=r"the disk is full|DuckDB cannot write"):
        exported(run, disk / name, is_sound=False, preset=preset)
    left = files(disk)
    assert not [path for path in left if "partial" in path or "manifest" in path]
    assert preset or left == {}  # in a directory, finished parts may stay
    subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)  # noqa: S603, S607
    exported(run, disk / name, is_sound=False, preset=preset)
    exported(run, tmp_path / "whole" / name, is_sound=False, preset=preset)
    once, again = files(tmp_path / "whole"), files(disk)
    assert once.keys() == again.keys()
    assert name.endswith("duckdb") or once == again
