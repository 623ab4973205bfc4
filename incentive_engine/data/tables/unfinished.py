"""Files and folders that are being written and have no name yet."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

UNFINISHED: Final[set[Path]] = set()
"""What this process is writing now."""


def remove_path(path: Path) -> None:
    """Remove a file or folder; what hinders that hides no error of the caller's."""
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.unlink(missing_ok=True)


def remove_unfinished() -> None:
    """Remove all that is being written, before a process ends that cannot clean up any more."""
    for path in tuple(UNFINISHED):
        remove_path(path)
