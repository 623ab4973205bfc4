"""Exports that are killed at any step, and begun again."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from incentive_engine.export import formats, selection

from .exports import KEY, everyone_treated, exported, files, in_small_parts

KILLS = 20
USERS = 6
ENDLESS = 10_000
PRESETS = ("braze", "parquet")

EXPORTER = """
import json, os, signal, sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
from export.exports import KEY, exported, in_small_parts
from incentive_engine.export import formats, parts, selection, writers
from incentive_engine.run import records

selection.ROWS = 1
for name in formats.PRESETS:
    formats.PRESETS[name] = in_small_parts(formats.PRESETS[name])

def dying(function):
    def wrapped(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return wrapped

# every step that changes the disk, and every batch
for owner, names in (
    (parts, ("publish", "digest_file")),
    (records, ("publish",)),
    (writers.TextWriter, ("write", "close")),
    (writers.ParquetWriter, ("write", "close")),
    (Path, ("unlink", "mkdir", "write_text")),
):
    for name in names:
        setattr(owner, name, dying(getattr(owner, name)))

for run, to, preset, steps in json.loads(sys.argv[1]):
    left = steps
    child = os.fork()
    if not child:
        exported(Path(run), Path(to), is_sound=False, preset=preset, key=KEY)
        print("took", steps - left, flush=True)
        os._exit(0)
    print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def run_exports(jobs: list[tuple[str, str, str, int]]) -> list[list[str]]:
    """Run exports, each in a process that is killed after some steps; return what they said."""
    code = EXPORTER.format(tests=str(Path(__file__).parents[1]))
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", code, json.dumps(jobs)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def test_an_export_killed_anywhere_goes_on_and_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = everyone_treated(tmp_path / "run", range(USERS))
    wholes = [(str(run), str(tmp_path / name), name, ENDLESS) for name in PRESETS]
    said = run_exports(wholes)
    steps = {name: int(said[2 * n][1]) for n, name in enumerate(PRESETS)}
    assert min(steps.values()) > KILLS
    rng = random.Random(20261111)  # noqa: S311 - chooses where to kill
    names = [PRESETS[n % 2] for n in range(KILLS)]
    jobs = [
        (str(run), str(tmp_path / f"killed-{n}"), name, rng.randrange(steps[name]))
        for n, name in enumerate(names)
    ]
    assert run_exports(jobs) == [["ended", str(-signal.SIGKILL)]] * KILLS
    monkeypatch.setattr(selection, "ROWS", 1)
    for name, form in formats.PRESETS.items():
        monkeypatch.setitem(formats.PRESETS, name, in_small_parts(form))
    for n, name in enumerate(names):
        to, whole = tmp_path / f"killed-{n}", files(tmp_path / name)
        found = files(to) if to.exists() else {}
        visible = {path: held for path, held in found.items() if "/." not in f"/{path}"}
        assert visible.items() <= whole.items(), "a part is complete or absent"
        exported(run, to, is_sound=False, preset=name, key=KEY)
        assert files(to) == whole
