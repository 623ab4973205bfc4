"""Small JSON files beside a run or an export, replaced whole."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from incentive_engine.data.tables.files import publish, writing_to
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say


def write_record(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a JSON file, so that a reader finds the old content or the new, never half.

    What a killed process leaves has the same name in the next try, which replaces it. Only one
    process may write to a directory at a time; see `only_one`.

    Raises
    ------
    DataError
        When it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    with writing_to(path):
        try:
            partial.write_text(text, encoding="utf-8", newline="\n")
            publish(partial, path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def only_one(directory: Path, doing: str) -> Iterator[None]:
    """Hold a directory for one process; the system lets go of it however the process ends.

    Raises
    ------
    DataError
        When another process holds it.
    """
    with writing_to(directory):
        # a lock on the directory itself needs no file that a crash would leave behind
        handle = os.open(directory, os.O_RDONLY)
    try:
        _take(handle, directory, doing)
        yield
    finally:
        os.close(handle)


def _take(handle: int, directory: Path, doing: str) -> None:
    fault = Fault(
        str(directory),
        say("another process is {doing}", doing=doing),
        remedy="wait until it is done",
    )
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(fault) from None
    if not directory.exists() or not os.path.samestat(os.fstat(handle), directory.stat()):
        raise DataError(fault)  # it ended, and took its directory away, while we came
