"""Compiled loops are kept on the disk, and made anew where what is kept cannot be read."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path
from types import ModuleType

import numba
import pytest

KERNEL = """\
from incentive_engine.jit import compiled

@compiled
def twice(number):
    return 2 * number
"""


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("kernel_of_a_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "content", [b"cincentive_engine.jit\nGone\n.", b"cnot_there\nGone\n.", b"", b"\x80", b"I1\n."]
)
def test_a_kept_loop_that_nobody_can_read_is_made_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kernel_of_a_test.py"
    path.write_text(KERNEL, encoding="utf-8")
    assert loaded(path).twice(3) == 6
    (index,) = (tmp_path / "__pycache__").glob("*.nbi")
    for before in (b"", pickle.dumps(numba.__version__)):
        index.write_bytes(before + content)
        assert loaded(path).twice(3) == 6
    kept = loaded(path).twice
    assert kept(3) == 6
    assert kept.stats.cache_hits
