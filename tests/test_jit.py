"""Compiled loops are kept on the disk, from one version of the program to the next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
LOOP: Final = """
from typing import NamedTuple
from incentive_engine.jit import compiled

class Pairs(NamedTuple):
    cost: int

@compiled
def doubled(pairs):
    return 2 * pairs.cost

if __name__ == "__main__":
    import loop
    print(loop.doubled(loop.Pairs(21)))
"""


def test_loops_kept_by_a_version_whose_types_had_other_names_are_compiled_anew(
    tmp_path: Path,
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for source in (LOOP, LOOP.replace("Pairs", "Columns")):
        (tmp_path / "loop.py").write_text(source, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "loop.py"], cwd=tmp_path, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.stdout, done.stderr) == ("42\n", "")
