"""Exports that are killed at any step, and begun again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from incentive_engine.delivery import formats, selection

from .exports import KEY, everyone_treated, exported, files, in_small_parts

KILLS = 20
USERS = 6

EXPORTER = """
import os, signal, sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
from delivery.exports import KEY, exported, in_small_parts
from incentive_engine.data import files
from incentive_engine.delivery import formats, parts, records, selection, writers

selection.ROWS = 1
for name in formats.PRESETS:
    formats.PRESETS[name] = in_small_parts(formats.PRESETS[name])

left = int(sys.argv[4])

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
exported(Path(sys.argv[1]), Path(sys.argv[2]), is_sound=False, preset=sys.argv[3], key=KEY)
print(left)
"""


def run_exporter(run: Path, to: Path, preset: str, steps: int) -> subprocess.CompletedProcess[str]:
    """Export in a process of its own that is killed after some steps."""
    code = EXPORTER.format(tests=str(Path(__file__).parents[1]))
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", code, str(run), str(to), preset, str(steps)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_export_killed_anywhere_goes_on_and_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "ROWS", 1)
    for name, form in formats.PRESETS.items():
        monkeypatch.setitem(formats.PRESETS, name, in_small_parts(form))
    run = everyone_treated(tmp_path / "run", range(USERS))
    rng = random.Random(20261111)  # noqa: S311 - chooses where to kill
    whole: dict[str, dict[str, bytes]] = {}
    steps: dict[str, int] = {}
    for preset in ("braze", "parquet"):
        done = run_exporter(run, tmp_path / f"whole-{preset}", preset, 10_000)
        assert done.returncode == 0, done.stderr
        whole[preset], steps[preset] = (
            files(tmp_path / f"whole-{preset}"),
            10_000 - int(done.stdout),
        )
    for number in range(KILLS):
        preset = ("braze", "parquet")[number % 2]
        to = tmp_path / f"killed-{number}"
        killed = run_exporter(run, to, preset, rng.randrange(steps[preset]))
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        found = files(to) if to.exists() else {}
        visible = {name: held for name, held in found.items() if "/." not in f"/{name}"}
        assert visible.items() <= whole[preset].items(), "a part is complete or absent"
        exported(run, to, is_sound=False, preset=preset, key=KEY)
        assert files(to) == whole[preset]
