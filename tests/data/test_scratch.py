from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from incentive_engine import knobs
from incentive_engine.data.tables import mapped_pages, scratch
from incentive_engine.errors import DataError
from incentive_engine.knobs import MemoryParams

MAPPED = 1 << 20


@pytest.fixture(autouse=True)
def map_beyond_a_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knobs, "MEMORY", MemoryParams(columns=MAPPED))


def held() -> int:
    """Bytes that the process holds of mapped files."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("RssFile"))
    return 1024 * int(line.split()[1])


def test_small_columns_stand_in_memory() -> None:
    made = scratch.make_room((4, 8), np.float32)
    assert made.shape == (4, 8)
    assert not mapped_pages.MAPPED


def test_large_columns_keep_what_is_written_when_their_pages_are_let_go() -> None:
    before = held()
    made = scratch.make_room((8, MAPPED), np.float32)
    made[:] = np.arange(MAPPED, dtype=np.float32)
    assert mapped_pages.MAPPED
    assert held() - before >= 0.9 * made.nbytes
    mapped_pages.let_go()
    assert held() - before <= 0.1 * made.nbytes
    assert np.array_equal(made[7], np.arange(MAPPED, dtype=np.float32))


def test_the_scratch_file_has_no_name_and_goes_with_the_columns(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INCENTIVE_SCRATCH", str(tmp_path))
    made = scratch.make_room((2, MAPPED), np.float64)
    assert mapped_pages.MAPPED
    assert list(tmp_path.iterdir()) == []
    del made
    gc.collect()
    assert not mapped_pages.MAPPED


def test_a_place_without_room_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(descriptor: int, offset: int, size: int) -> None:
        del descriptor, offset, size
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("INCENTIVE_SCRATCH", str(tmp_path))
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DataError, match=r"has no room for 0.0 GB.*INCENTIVE_SCRATCH"):
        scratch.make_room((2, MAPPED), np.float64)


def test_what_is_picked_is_the_entry_of_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knobs, "MEMORY", MemoryParams(columns=MAPPED, stride=2))
    matrix = np.arange(10.0).reshape(2, 5)
    choice = np.array([0, -1, 1, 1, 0], dtype=np.int16)
    assert scratch.pick(matrix, choice).tolist() == [0.0, 0.0, 7.0, 8.0, 4.0]
