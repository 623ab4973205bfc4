"""Exports that are killed, run out of room, meet each other, or find what they wrote changed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from incentive_engine.data.tables.files import publish
from incentive_engine.errors import DataError
from incentive_engine.export import formats, places, selection
from incentive_engine.run import records

from .exports import KEY, everyone_treated, exported, files, in_small_parts, made

USERS = 6


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read one user at a time, and begin a file after every second."""
    monkeypatch.setattr(selection, "ROWS", 1)
    for name, form in formats.PRESETS.items():
        monkeypatch.setitem(formats.PRESETS, name, in_small_parts(form))


@pytest.mark.usefixtures("small")
def test_a_second_try_does_not_make_finished_parts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = everyone_treated(tmp_path / "run", range(USERS))
    with monkeypatch.context() as patched:
        patched.setattr("incentive_engine.export.parts.publish", FailsAt(3, publish))
        with pytest.raises(DataError, match="the disk is full"):
            exported(run, tmp_path / "out", is_sound=False, preset="csv")
    first = sorted((tmp_path / "out").glob("offers-*"))
    assert len(first) == 2
    before = [path.stat().st_mtime_ns for path in first]
    exported(run, tmp_path / "out", is_sound=False, preset="csv")
    assert [path.stat().st_mtime_ns for path in first] == before
    names = ["_manifest.json", *(f"offers-0000{n}.csv" for n in (1, 2, 3))]
    assert sorted(files(tmp_path / "out")) == names


class FailsAt:
    """A function that finds the disk full the n-th time."""

    def __init__(self, number: int, function: Any) -> None:
        self._left = number
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._left -= 1
        if not self._left:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._function(*args, **kwargs)


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.duckdb"])
def test_a_disk_that_fills_up_leaves_no_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path)
    monkeypatch.setattr("incentive_engine.export.parts.publish", FailsAt(1, publish))
    with pytest.raises(DataError, match="the disk is full"):
        exported(run, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


LIMITED = """
import resource, signal, sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
from export.exports import KEY, exported
from incentive_engine.errors import DataError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, resource.RLIM_INFINITY))
try:
    exported(Path(sys.argv[1]), Path(sys.argv[2]), is_sound=False)
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.duckdb"])
def test_real_writes_that_meet_a_limit_leave_no_file(name: str, tmp_path: Path) -> None:
    run = everyone_treated(tmp_path / "run", ["x" * 9000 + str(user) for user in range(USERS)])
    code = LIMITED.format(tests=str(Path(__file__).parents[1]), size=4096 if "b" in name else 700)
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", code, str(run), str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "disk is full" in done.stdout or "DuckDB cannot write" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_may_not_be_written_to_is_named(tmp_path: Path) -> None:
    run = made(tmp_path)
    (tmp_path / "shut").mkdir(mode=0o500)
    with pytest.raises(DataError, match="may not be written to"):
        exported(run, tmp_path / "shut" / "out.csv")


@pytest.mark.parametrize("preset", [None, "csv"])
def test_permission_refused_in_the_middle_is_named_and_leaves_nothing(
    preset: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path)

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "out"))

    monkeypatch.setattr("incentive_engine.export.parts.publish", refused)
    with pytest.raises(DataError, match="may not be written to"):
        exported(run, tmp_path / ("out" if preset else "out.csv"), preset=preset)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(("to", "preset"), [("out.csv", None), ("out", "parquet")])
def test_a_second_run_changes_nothing_and_says_so(
    to: str, preset: str | None, tmp_path: Path
) -> None:
    run = made(tmp_path)
    exported(run, tmp_path / to, preset=preset)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = exported(run, tmp_path / to, preset=preset)
    assert "nothing to do, it is there already: 2 offers" in str(again.lines()[0])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_part_that_was_changed_since_is_found(tmp_path: Path) -> None:
    run = made(tmp_path)
    exported(run, tmp_path / "out", preset="csv")
    part = tmp_path / "out" / "offers-00001.csv"
    part.write_bytes(part.read_bytes().replace(b"101", b"109"))
    with pytest.raises(DataError, match=r"changed since the export: offers-00001\.csv"):
        exported(run, tmp_path / "out", preset="csv")


@pytest.mark.parametrize("content", ["{}", "[]", "{", '{"parts": [{"name": 3}]}'])
def test_a_broken_manifest_is_named(content: str, tmp_path: Path) -> None:
    run = made(tmp_path)
    exported(run, tmp_path / "out", preset="csv")
    (tmp_path / "out" / "_manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"_manifest\.json|holds another export"):
        exported(run, tmp_path / "out", preset="csv")


def test_another_export_does_not_take_a_place_that_is_taken(tmp_path: Path) -> None:
    run = made(tmp_path)
    exported(run, tmp_path / "out", preset="csv")
    with pytest.raises(DataError, match=r"holds another export \(another format"):
        exported(run, tmp_path / "out", preset="excel")
    exported(run, tmp_path / "hashed.csv", hash_ids=True, key=KEY)
    with pytest.raises(DataError, match=r"holds another export \(another hash_ids, key"):
        exported(run, tmp_path / "hashed.csv")


@pytest.mark.usefixtures("small")
def test_a_begun_export_of_another_kind_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = everyone_treated(tmp_path / "run", range(USERS))
    with monkeypatch.context() as patched:
        patched.setattr("incentive_engine.export.parts.publish", FailsAt(2, publish))
        with pytest.raises(DataError):
            exported(run, tmp_path / "out", is_sound=False, preset="csv")
    with pytest.raises(DataError, match=r"another export was begun here \(another format"):
        exported(run, tmp_path / "out", is_sound=False, preset="excel")


@pytest.mark.usefixtures("small")
def test_a_finished_part_that_was_damaged_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = everyone_treated(tmp_path / "run", range(USERS))
    exported(run, tmp_path / "whole", is_sound=False, preset="csv")
    with monkeypatch.context() as patched:
        patched.setattr("incentive_engine.export.parts.publish", FailsAt(3, publish))
        with pytest.raises(DataError):
            exported(run, tmp_path / "out", is_sound=False, preset="csv")
    (tmp_path / "out" / "offers-00001.csv").write_bytes(b"damaged")
    exported(run, tmp_path / "out", is_sound=False, preset="csv")
    assert files(tmp_path / "out") == files(tmp_path / "whole")


@pytest.mark.parametrize(("to", "preset"), [("out.csv", None), ("out", "csv")])
def test_two_exports_to_one_place_do_not_meet(
    to: str, preset: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path)
    outcome: list[str] = []
    real = places.Destination.begun

    def meanwhile(self: places.Destination, identity: Any) -> Any:
        with monkeypatch.context() as patched:
            patched.setattr(places.Destination, "begun", real)
            with pytest.raises(DataError, match="another process is exporting to it") as raised:
                exported(run, tmp_path / to, preset=preset)
            outcome.append(str(raised.value))
        return real(self, identity)

    monkeypatch.setattr(places.Destination, "begun", meanwhile)
    exported(run, tmp_path / to, preset=preset)
    assert len(outcome) == 1
    assert exported(run, tmp_path / to, preset=preset).is_new is False


def test_a_lock_is_gone_when_its_holder_is(tmp_path: Path) -> None:
    with ExitStack() as holder:
        holder.enter_context(records.only_one(tmp_path, "testing"))
        with (
            pytest.raises(DataError, match="another process is testing"),
            records.only_one(tmp_path, "testing"),
        ):
            pass
    with records.only_one(tmp_path, "testing"):
        assert tmp_path.exists()
