"""Exact sums of integers, and when two float64 numbers count as the same."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from incentive_engine.domain import MICROS, FloatArray, IntArray

RELATIVE: Final = 1e-9
"""Sums of the same 1e7 float64 terms in two orders differ by at most 1e7 x 1.1e-16 of the sum of
their absolute values. Money is never compared with it: integers are compared exactly."""


def exact(number: float) -> Fraction:
    """Return the decimal number that a planner wrote, not its binary neighbour.

    >>> exact(0.07) * 200_000 == 14_000
    True
    """
    return Fraction(Decimal(repr(float(number))))


def halves(amounts: IntArray) -> IntArray:
    """Return (2, n) int64, the upper and the lower half of (n,) int64 amounts.

    Sums of halves cannot wrap below 2**31 amounts, where sums of amounts can.
    """
    return np.stack([amounts >> 32, amounts & (2**32 - 1)])


def joined(sums: npt.NDArray[Any]) -> int:
    """Return the exact total of sums of halves, (2,) int64.

    >>> amounts = np.full(3, 2**62)
    >>> int(amounts.sum()), joined(halves(amounts).sum(axis=1)) == 3 * 2**62
    (-4611686018427387904, True)
    """
    upper, lower = sums.tolist()
    return int((upper << 32) + lower)


def exact_total(amounts: IntArray) -> int:
    """Return the exact sum of (n,) int64 amounts."""
    return joined(halves(amounts).sum(axis=1))


def running_totals(amounts: IntArray) -> FloatArray:
    """Return (n,) float64, the sums of the amounts up to each, each rounded once or twice."""
    upper, lower = np.cumsum(halves(amounts), axis=1).astype(np.float64)
    return np.asarray(upper * 2.0**32 + lower)


def agree(
    stated: npt.ArrayLike, expected: npt.ArrayLike, *, scale: npt.ArrayLike
) -> npt.NDArray[Any]:
    """Return where two numbers differ by at most `RELATIVE` of the scale of their terms.

    >>> bool(agree(1.0, 2.0, scale=np.inf))
    False
    """
    difference = np.abs(np.asarray(stated, np.float64) - np.asarray(expected, np.float64))
    size = np.asarray(scale, np.float64)
    # terms that overflow would otherwise agree with any number
    return np.asarray((difference <= RELATIVE * size) & np.isfinite(size))


def within(amount: float, bound: float, *, scale: float) -> bool:
    """Return whether an amount is at most a bound, but for rounding errors of its terms.

    >>> within(0.1 + 0.2, 0.3, scale=0.3), within(0.301, 0.3, scale=0.3)
    (True, False)
    """
    return math.isfinite(scale) and amount - bound <= RELATIVE * scale


def same_total(stated: float, expected: float, *, largest: float) -> bool:
    """Return whether a number states a total of integers: to half a millionth.

    Parameters
    ----------
    largest
        The largest number that it was computed from; float64 may hold that less finely.

    >>> same_total(1_999.999999, 2_000.0, largest=2_000.0), same_total(0.1 + 0.2, 0.3, largest=0.3)
    (False, True)
    """
    # how many roundings of float64 stand between an integer total and the number that states it
    roundings = 8
    finest = roundings * float(np.finfo(np.float64).eps) * abs(largest)
    return abs(stated - expected) <= max(0.5 / MICROS, finest)
