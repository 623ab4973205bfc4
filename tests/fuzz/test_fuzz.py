"""Whatever the inputs, no command ends with an internal error.

``INCENTIVE_FUZZ_SECONDS=3600 python -m pytest tests/fuzz`` goes on for an hour, from another seed
each time; a run of the suite takes a few campaigns of fixed seeds. A fault is repeated with
``INCENTIVE_FUZZ_SEED=N``.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from workflow.conftest import program

from .calls import cases

SEEDS: Final = range(24)
ALLOWED: Final = frozenset({0, 1, 2})


def _seeds() -> Iterator[int]:
    if "INCENTIVE_FUZZ_SEED" in os.environ:
        yield int(os.environ["INCENTIVE_FUZZ_SEED"])
        return
    seconds = float(os.environ.get("INCENTIVE_FUZZ_SECONDS", "0"))
    if not seconds:
        yield from SEEDS
        return
    began, start = time.monotonic(), time.time_ns() % 10**9
    for seed in range(start, start + 10**7):
        if time.monotonic() - began > seconds:
            return
        yield seed


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_no_command_ends_with_an_internal_error(tmp_path: Path) -> None:
    cache, faults, calls = tmp_path / "cache", [], 0
    for seed in _seeds():
        folder = tmp_path / str(seed)
        folder.mkdir()
        rng = np.random.default_rng(seed)
        for case in cases(folder, rng):
            case.before()
            ended = program(folder, cache, *case.words)
            calls += 1
            told = ended.stdout + ended.stderr
            if ended.returncode not in ALLOWED or "[Errno" in told or "Value error," in told:
                last = (ended.stderr or ended.stdout).strip().splitlines()[-1:]
                faults.append(f"seed {seed}: {' '.join(case.words)}: {last}; {case.told}")
                print(faults[-1], flush=True)  # noqa: T201 - an hour is long to wait
            if ended.returncode:
                break
        shutil.rmtree(folder)
        if seed % 50 == 0:
            shutil.rmtree(cache, ignore_errors=True)
    print(f"{calls:,} calls")  # noqa: T201 - of interest after an hour
    assert not faults, "\n".join(faults)
