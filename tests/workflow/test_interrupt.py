"""Ctrl-C, as a real signal to a real process, while it reads, solves, draws and writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

POLICY = """
version: 1
name: interrupted
data: {users: none.parquet, trial: none.parquet}
offers: [{id: a, face_value: 5}, {id: b, face_value: 10}]
limits: [{name: stock, sum: issued, offers: [b], at_most: 50}]
budget: {amount: 100}
holdout: 0
"""

PROGRAM = """
import os, signal, sys
import {module} as module
real = module.{name}
def interrupted(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGINT)
    return real(*args, **kwargs)
module.{name} = interrupted
from incentive_engine.cli import main
main(sys.argv[1:])
"""

IMPATIENT = """
import os, signal, sys, threading, time
import incentive_engine.data.tables.files as files
sync = files.sync
def again():
    while True:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
def slow(path):
    if "partial" in path.name and not pressed.is_alive():
        pressed.start()
    time.sleep(0.2)
    sync(path)
pressed = threading.Thread(target=again, daemon=True)
files.sync = slow
from incentive_engine.cli import main
main(sys.argv[1:])
"""
"""Ctrl-C is held down from when the first file of the cache is whole but has no name yet."""


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("incentive_engine.data.sources.parquet_files", "pq.ParquetFile.iter_batches"),
        ("incentive_engine.allocation.dual.lagrangian", "LagrangianDual.at"),
        ("incentive_engine.workflow.write_run", "render_report"),
        ("incentive_engine.run.directory", "write_json"),
    ],
)
def test_an_interrupted_run_leaves_nothing_and_exits_with_130(
    module: str, name: str, tmp_path: Path
) -> None:
    _interrupt(PROGRAM.format(module=module, name=name), tmp_path)


def test_ctrl_c_held_down_leaves_nothing_either(tmp_path: Path) -> None:
    _interrupt(IMPATIENT, tmp_path)


def _interrupt(program: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    columns = {
        f"{measure}__{offer}": rng.gamma(2.0, size, 500)
        for measure, size in (("conversion", 0.02), ("cost", 0.5))
        for offer in ("a", "b")
    }
    pd.DataFrame({"user_id": np.arange(500), **columns}).to_parquet(tmp_path / "scores.parquet")
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    words = ["allocate", "policy.yaml", "--scores", "scores.parquet", "--out", "runs/one"]
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program, *words],
        cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 130, ended.stderr
    assert ended.stderr.strip().endswith("stopped; nothing half-written stays")
    assert {path.name for path in tmp_path.iterdir()} <= {"scores.parquet", "policy.yaml", "cache"}
    halves = [path for path in tmp_path.rglob("*") if "partial" in path.name]
    assert halves == []
