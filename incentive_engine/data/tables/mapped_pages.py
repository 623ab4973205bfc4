"""The pages of columns that stand in scratch files.

Mapped columns are read and written like any others; the system brings in the pages that are
touched and keeps the rest on the disk. Passes over the users go through them in parts and let go
of the pages after each (`let_go`), so that what the process holds does not grow with the columns.
"""

from __future__ import annotations

import mmap
import weakref
from typing import Final

MAPPED: Final[weakref.WeakSet[mmap.mmap]] = weakref.WeakSet()
"""The scratch files whose columns somebody holds."""


def let_go() -> None:
    """Let the system take the pages of mapped columns back; what they hold is not lost."""
    for pages in tuple(MAPPED):
        # of a shared mapping this drops the pages alone: the file keeps what was written
        pages.madvise(mmap.MADV_DONTNEED)


def is_mapped() -> bool:
    """Return whether there are columns in scratch files."""
    return bool(MAPPED)
