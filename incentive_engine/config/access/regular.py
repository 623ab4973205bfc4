"""What a name on the disk must be before it is read: a regular file that ends."""

from __future__ import annotations

import stat
from pathlib import Path


def special_file(path: Path) -> str | None:
    """Return what a name is in place of a file, None where it is one or a directory.

    Nothing is opened: a pipe would wait for its writer, and a device may never end.

    Raises
    ------
    OSError
        When there is nothing of that name, or it may not be looked at.
    """
    mode = path.stat().st_mode
    special = (
        (stat.S_ISFIFO, "is a pipe"),
        (stat.S_ISCHR, "is a device"),
        (stat.S_ISBLK, "is a device"),
        (stat.S_ISSOCK, "is a socket"),
    )
    return next((words for test, words in special if test(mode)), None)
