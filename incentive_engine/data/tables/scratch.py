"""Room for large columns: in memory, or, where they would crowd it, in a mapped scratch file."""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from incentive_engine import knobs
from incentive_engine.data.tables import mapped_pages
from incentive_engine.domain import ChoiceArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say


def make_room(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return an array to be filled, in memory or in a scratch file that goes with it.

    The scratch file has no name, so that nothing of it stays whatever ends the process.

    Raises
    ------
    DataError
        When there is no space for the scratch file.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= knobs.MEMORY.columns:
        return np.empty(shape, dtype=dtype)
    # left out: the system's own
    variable = "INCENTIVE_SCRATCH"
    folder = os.environ.get(variable) or tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            _claim(file.fileno(), size)
            pages = mmap.mmap(file.fileno(), size)
    except OSError as error:
        what = say(
            "has no room for {size:.1f} GB of columns: {reason}",
            size=size / 1e9,
            reason=error,
        )
        remedy = say("free some space, or set {folder} to another directory", folder=variable)
        raise DataError(Fault(folder, what, remedy=remedy)) from error
    mapped_pages.MAPPED[pages] = knobs.MEMORY.mapped_users
    # the array keeps the mapping, and the mapping the file that has no name any more
    return np.frombuffer(pages, dtype=dtype).reshape(shape)


def _claim(descriptor: int, size: int) -> None:
    """Make a file so large; where the system can, its space is the file's from now on."""
    if hasattr(os, "posix_fallocate"):
        # a full disk is an error here, and not a bus error in the middle of a loop later on
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.truncate(descriptor, size)


def strides(n: int) -> Iterator[slice]:
    """Yield slices of n users, of `MemoryParams.stride` each but the last.

    >>> [rows.stop for rows in strides(600_000)]
    [262144, 524288, 600000]
    """
    for start in range(0, n, knobs.MEMORY.stride):
        yield slice(start, min(start + knobs.MEMORY.stride, n))


def pick(matrix: npt.NDArray[Any], choice: ChoiceArray) -> npt.NDArray[Any]:
    """Return (n,) of the matrix's type: each user's entry of the chosen row, 0 for none.

    Parameters
    ----------
    matrix
        (k, n).
    choice
        (n,) int16, a row, −1 for none.
    """
    picked = np.zeros(len(choice), dtype=matrix.dtype)
    for rows in strides(len(choice)):
        mine = np.flatnonzero(choice[rows] >= 0)
        # stride by stride, so that mapped pages are let go before the next ones are read
        picked[rows][mine] = matrix[:, rows][choice[rows][mine], mine]
        mapped_pages.let_go()
    return picked
