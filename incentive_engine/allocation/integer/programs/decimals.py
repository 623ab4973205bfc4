"""Decimal amounts as integers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from incentive_engine.domain import ROUNDING, FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Decimals:
    """The integers that stand for amounts.

    Attributes
    ----------
    unit
        Decimal units in one natural unit.
    common
        Decimal units in one integer, a divisor of all amounts.
    """

    unit: float
    common: int

    @property
    def size(self) -> float:
        """Integers in one natural unit."""
        return self.unit / self.common


def decimals_of(
    amounts: FloatArray,
    *,
    largest: float,
    units: Iterable[float] | None = None,
    common: bool = True,
) -> Decimals | None:
    """Return the integers that stand for amounts, as small as can be; None where there are none.

    Parameters
    ----------
    amounts
        (p,) float64.
    largest
        What the integers may be at most.
    units
        Decimal units in one natural unit, in the order to try; a single one is known to fit. None
        tries up to six places: amounts of more are not taken for decimals.
    common
        Divide by what all amounts have in common.

    >>> decimals_of(np.array([0.25, -1.5]), largest=1e9)
    Decimals(unit=100.0, common=25)
    >>> decimals_of(np.array([12345678901234.567, 9876.5]), largest=2.0**30) is None
    True
    """
    tried = tuple(10.0**place for place in range(7)) if units is None else tuple(units)
    most = float(np.max(np.abs(amounts), initial=0.0))
    for unit in tried:
        # beyond int64 every float is whole, and none is a decimal
        # the first float that no int64 holds
        if most * unit >= 2.0**63:
            return None
        scaled = amounts * unit
        whole = np.rint(scaled)
        if len(tried) == 1 or np.all(np.abs(scaled - whole) <= ROUNDING * np.abs(scaled)):
            shared = np.gcd.reduce(np.abs(whole).astype(np.int64), initial=0) if common else 1
            divisor = max(int(shared), 1)
            if most * unit / divisor <= largest:
                return Decimals(unit=unit, common=divisor)
    return None
