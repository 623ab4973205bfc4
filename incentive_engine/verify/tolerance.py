"""When two float64 numbers count as the same."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

RELATIVE: Final = 1e-9
"""Sums of the same 1e7 float64 terms in two orders differ by at most 1e7 x 1.1e-16 of the sum of
their absolute values. Money is never compared with it: integers are compared exactly."""


def agree(
    stated: npt.ArrayLike, expected: npt.ArrayLike, *, scale: npt.ArrayLike
) -> npt.NDArray[Any]:
    """Return where two numbers differ by at most `RELATIVE` of the scale of their terms."""
    difference = np.abs(np.asarray(stated, np.float64) - np.asarray(expected, np.float64))
    return np.asarray(difference <= RELATIVE * np.asarray(scale, np.float64))


def within(amount: float, bound: float, *, scale: float) -> bool:
    """Return whether an amount is at most a bound, but for rounding errors of its terms.

    >>> within(0.1 + 0.2, 0.3, scale=0.3), within(0.301, 0.3, scale=0.3)
    (True, False)
    """
    return amount - bound <= RELATIVE * scale
