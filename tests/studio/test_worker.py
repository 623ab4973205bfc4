"""Tasks of the studio: stopped wherever they are, they end at once, quietly, and leave nothing."""

from __future__ import annotations

import ctypes
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

import pytest

from incentive_engine.data.tables.files import atomic_file
from incentive_engine.studio import tasks, worker

LONGEST = 30.0
"""Seconds; what takes longer hangs."""


def in_a_callback(wait: Callable[..., int]) -> None:
    """Stay inside a library that calls back, which loses what is raised there."""
    numbers = (ctypes.c_int * 2)(2, 1)
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    ctypes.CDLL(None).qsort(numbers, 2, ctypes.sizeof(ctypes.c_int), kind(wait))


def as_an_import(wait: Callable[..., int]) -> None:
    """Tell whatever is raised as a library of compiled code does while it is loaded."""
    try:
        wait()
    except BaseException as error:
        raise ImportError("initialization failed") from error


def begun(stay: Callable[[Callable[..., int]], None], file: Path, line: Connection) -> None:
    """Do a task in a process of its own."""

    def prepare(order: tasks.Order, progress: worker.Reporter) -> tasks.Outcome:
        def wait(*_: object) -> int:
            progress.line.send("began")
            until = time.monotonic() + LONGEST
            while time.monotonic() < until:
                pass
            return 0

        with atomic_file(order.file) as partial:
            partial.write_text("half", encoding="utf-8")
            stay(wait)
        return tasks.Outcome()

    with patch.object(worker, "_prepare", prepare):
        worker.work(tasks.Order(kind="prepare", file=file, folder=file.parent), line)


@pytest.mark.parametrize("stay", [in_a_callback, as_an_import])
def test_a_task_that_is_stopped_inside_a_library_ends_quietly_and_leaves_nothing(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    stay: Callable[[Callable[..., int]], None],
) -> None:
    reading, writing = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=begun, args=(stay, tmp_path / "made", writing), daemon=True)
    process.start()
    assert reading.recv() == "began"
    process.terminate()
    process.join(LONGEST / 2)
    assert process.exitcode == 143
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""
