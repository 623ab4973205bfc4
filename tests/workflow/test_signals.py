"""A command that is asked to stop has ended two seconds later, wherever it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DEAF = """
import hashlib, sys
from pathlib import Path
from concurrent.futures import ThreadPoolExecutor
import incentive_engine.cli.terminal.program as program
from incentive_engine.data.tables.files import atomic_directory

def library(_=None):
    hashlib.pbkdf2_hmac("sha512", b"", b"", 2**31 - 1)  # minutes, and no Python in between

def command(words):
    with atomic_directory(Path("out")) as folder:
        (folder / "part").write_text("half")
        print("begun", flush=True)
        if words == ["threads"]:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(library, range(2)))
        library()

program._run = command
program.main([sys.argv[1]])
"""
"""A command inside a library that hears nothing, in the main thread or in those it waits for."""


@pytest.mark.parametrize("place", ["main", "threads"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_deaf_inside_a_library_ends_within_two_seconds_and_leaves_nothing(
    place: str, number: signal.Signals, code: int, tmp_path: Path
) -> None:
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", DEAF, place],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.3)  # until it is inside the library
        begun = time.monotonic()
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert time.monotonic() - begun < 2.5  # half a second is this machine's other work
    assert process.returncode == code
    assert said == "stopped; nothing half-written stays\n"
    assert list(tmp_path.iterdir()) == []
