"""The pages of columns that stand in scratch files.

Mapped columns are read and written like any others; the system brings in the pages that are
touched and keeps the rest on the disk. Passes over the users go through them in parts and let go
of the pages after each (`let_go`), so that what the process holds does not grow with the columns.
"""

from __future__ import annotations

import mmap
import weakref
from typing import Final

MAPPED: Final[weakref.WeakKeyDictionary[mmap.mmap, int]] = weakref.WeakKeyDictionary()
"""The scratch files whose columns somebody holds, and how many users a pass takes at once."""


def let_go() -> None:
    """Let the system take the pages of mapped columns back; what they hold is not lost."""
    for pages in tuple(MAPPED):
        # of a shared mapping this drops the pages alone: the file keeps what was written
        pages.madvise(mmap.MADV_DONTNEED)


def parts_of(n: int) -> int:
    """Return into how many parts a pass over n users is cut; 1 where no columns are mapped."""
    at_once = min(tuple(MAPPED.values()), default=max(n, 1))
    return max(1, -(-n // at_once))
