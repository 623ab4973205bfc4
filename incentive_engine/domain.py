"""The words that every layer shares: arms, measures, reasons and exact money."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

CONTROL: Final = "control"
"""The arm of a trial that got no offer."""

MICROS: Final = 1_000_000
"""Millionths in one currency unit; money is counted in them, as integers."""

CONVERSION: Final = "conversion"
SPEND: Final = "spend"
COST: Final = "cost"
FACE: Final = "face"
ISSUED: Final = "issued"

MONEY_MEASURES: Final = frozenset({SPEND, COST, FACE})
"""Measures in currency units; a percentage in their limits is one of the budget."""

OFFER_MEASURES: Final = frozenset({FACE, ISSUED})
"""Measures that are known from the offer alone and need no column of the score table."""


class Reason(StrEnum):
    """Why a user gets an offer, or none."""

    OFFERED = "offered"
    NO_GAIN = "no_gain"
    PRICED_OUT = "priced_out"
    INELIGIBLE = "ineligible"
    HOLDOUT = "holdout"


def score_column(measure: str, offer: str) -> str:
    """Return the name of a score table's column.

    >>> score_column("conversion", "off10")
    'conversion__off10'
    """
    return f"{measure}__{offer}"


def to_micros(amount: npt.ArrayLike) -> IntArray:
    """Round amounts of money up to a millionth of the currency unit.

    Parameters
    ----------
    amount
        (n,) float, currency units, finite.

    Returns
    -------
    (n,) int64, millionths, never less than the amount beyond float64's own precision.

    >>> to_micros([1.1, 0.0000001, 2.0]).tolist()
    [1100000, 1, 2000000]
    """
    return np.ceil(np.asarray(amount, dtype=np.float64) * MICROS).astype(np.int64)
