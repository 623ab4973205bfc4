"""Compiled loops are kept on the disk, and loaded without numba's compiler."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
import numpy as np
from incentive_engine.allocation.population.kernels.pair_kernels import count_cells

counts = np.zeros(3, dtype=np.int64)
count_cells(np.array([0, 2, 2], dtype=np.uint16), 0, 3, counts)
hits = sum(count_cells.stats.cache_hits.values())
print(counts.tolist(), hits, "numba.np.arraymath" in sys.modules)
"""


def _run(places: dict[str, str]) -> str:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env=places
    )
    return done.stdout.strip()


def test_a_kept_loop_is_loaded_without_the_compiler(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The first process compiles, with all of numba; the second one only loads."""
    places = {"NUMBA_CACHE_DIR": str(tmp_path_factory.mktemp("kept"))}
    assert _run(places) == "[1, 0, 2] 0 True"
    assert _run(places) == "[1, 0, 2] 1 False"
