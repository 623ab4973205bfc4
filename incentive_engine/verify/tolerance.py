"""When two float64 numbers count as the same."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from incentive_engine.domain import MICROS

RELATIVE: Final = 1e-9
"""Sums of the same 1e7 float64 terms in two orders differ by at most 1e7 x 1.1e-16 of the sum of
their absolute values. Money is never compared with it: integers are compared exactly."""

ROUNDINGS: Final = 8
"""How many roundings of float64 stand between an integer total and the number that states it."""


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


def same_total(stated: float, expected: float, *, largest: float) -> bool:
    """Return whether a number states a total of integers: to half a millionth.

    Parameters
    ----------
    largest
        The largest number that it was computed from; float64 may hold that less finely.

    >>> same_total(1_999.999999, 2_000.0, largest=2_000.0), same_total(0.1 + 0.2, 0.3, largest=0.3)
    (False, True)
    """
    finest = ROUNDINGS * float(np.finfo(np.float64).eps) * abs(largest)
    return abs(stated - expected) <= max(0.5 / MICROS, finest)
