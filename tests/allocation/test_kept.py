"""Compiled loops are kept on the disk, and loaded without numba's compiler."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
import numpy as np
from incentive_engine.allocation.population.kernels import count_cells

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


RENAMED = """
import sys
import types
import numpy as np
from incentive_engine.jit import compiled

types_of = types.ModuleType("types_of")
pair = "from typing import NamedTuple\\nclass {}(NamedTuple):\\n    number: int"
exec(pair.format(sys.argv[1]), types_of.__dict__)
sys.modules["types_of"] = types_of
from loop import twice

print(twice(getattr(types_of, sys.argv[1])(4)))
"""
LOOP = """
from incentive_engine.jit import compiled

@compiled
def twice(pair):
    return 2 * pair.number
"""


def test_a_loop_kept_for_a_type_that_was_renamed_is_compiled_anew(tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text(LOOP, encoding="utf-8")
    (tmp_path / "script.py").write_text(RENAMED, encoding="utf-8")
    places = {"NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    for name in ("Pair", "Pair", "Couple"):
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "script.py", name], cwd=tmp_path,
            capture_output=True, text=True, check=True, env=places,
        )  # fmt: skip
        assert done.stdout.strip() == "8"
