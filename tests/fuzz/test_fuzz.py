"""Whatever the inputs, no command ends with an internal error, or works on for minutes.

``INCENTIVE_FUZZ_SECONDS=3600 python -m pytest tests/fuzz -s`` goes on for an hour, from another
seed each time; a run of the suite takes a few campaigns of fixed seeds. A fault is repeated with
``INCENTIVE_FUZZ_SEED=N``; with both, the hour begins there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from workflow.conftest import program

from .calls import Case, cases
from .seeds import seeds

SEEDS: Final = range(28)
SHARE: Final = 0.7
"""Of the time that is asked for; the pages of servers get the rest."""
ALLOWED: Final = frozenset({0, 1, 2})
LONG: Final = 60.0
"""Processor seconds that no call on 300 users may take."""


def _ended(folder: Path, cache: Path, case: Case) -> subprocess.CompletedProcess[str]:
    """Run a call; one that reads what is typed in a process of its own."""
    if case.typed is None:
        return program(folder, cache, *case.words)
    own = [sys.executable, "-c", "from incentive_engine.cli import run; run()", *case.words]
    return subprocess.run(  # noqa: S603 - our own program
        own, cwd=folder, env=os.environ | {"INCENTIVE_CACHE": str(cache)}, input=case.typed,
        capture_output=True, text=True, encoding="utf-8", check=False, timeout=120,
    )  # fmt: skip


def _seconds() -> float:
    return sum(os.times()[:4])


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_no_command_ends_with_an_internal_error(tmp_path: Path) -> None:
    cache, faults, calls = tmp_path / "cache", [], 0
    for seed in seeds(SEEDS, share=SHARE):
        folder = tmp_path / str(seed)
        folder.mkdir()
        rng = np.random.default_rng(seed)
        for case in cases(folder, rng):
            case.before()
            began = _seconds()
            ended = _ended(folder, cache, case)
            took = _seconds() - began
            calls += 1
            told = ended.stdout + ended.stderr
            wrong = [word for word in ("[Errno", "Value error,", "Traceback") if word in told]
            if ended.returncode not in ALLOWED or wrong or took > LONG:
                last = (ended.stderr or ended.stdout).strip().splitlines()[-1:]
                faults.append(
                    f"seed {seed}: {' '.join(case.words)}: {last}; {case.told}; {took:.0f} s"
                )
                print(faults[-1], flush=True)  # noqa: T201 - an hour is long to wait
            if ended.returncode:
                break
        shutil.rmtree(folder)
        if seed % 50 == 0:
            shutil.rmtree(cache, ignore_errors=True)
    print(f"{calls:,} calls")  # noqa: T201 - of interest after an hour
    assert not faults, "\n".join(faults)
