"""The words that every layer shares: arms, measures, reasons and exact money."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ChoiceArray = npt.NDArray[np.int16]
"""(n,) the place of each user's offer in an order of offers, −1 for none."""
Columns = npt.NDArray[Any]
"""Columns of float32 or float64, one contiguous row per offer."""
Matrix = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating[Any]]
"""Of float32 or float64."""

AttributeKind = Literal["text", "integer", "truth", "number", "single", "time"]
"""What an attribute's values are: texts, whole numbers, truth values, float64, float32, times."""

USER_ID: Final = "user_id"
"""The column of every table that says whose a row is."""

CONTROL: Final = "control"
"""The arm of a trial that got no offer."""

MICROS: Final = 1_000_000
"""Millionths in one currency unit; money is counted in them, as integers."""

ROUNDING: Final = 4 * float(np.finfo(np.float64).eps)
"""Relative error of a product of two decimals in float64; a larger one would hide money."""

CONVERSION: Final = "conversion"
SPEND: Final = "spend"
COST: Final = "cost"
FACE: Final = "face"
ISSUED: Final = "issued"

OUTCOMES: Final = (CONVERSION, SPEND, COST)
"""What a trial states of each row, and what is learned and valued by it."""

BUDGET: Final = "budget"
"""The name that the budget has among the limits."""

MONEY_MEASURES: Final = frozenset({SPEND, COST, FACE})
"""Measures in currency units; a percentage in their limits is one of the budget."""

OFFER_MEASURES: Final = frozenset({FACE, ISSUED})
"""Measures that are known from the offer alone and need no column of the score table."""


class Reason(StrEnum):
    """Why a user gets an offer, or none; tables of users hold its place here."""

    OFFERED = "offered"
    NO_GAIN = "no_gain"
    PRICED_OUT = "priced_out"
    INELIGIBLE = "ineligible"
    HOLDOUT = "holdout"
    EXPLORED = "explored"


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
    (n,) int64, millionths, never less than the amount beyond float64's own precision: 4.03 is
    4,030,000 of them, although 4.03 * 1e6 is a little more.

    >>> to_micros([4.03, 0.0000001, 2.0]).tolist()
    [4030000, 1, 2000000]
    """
    scaled = np.asarray(amount, dtype=np.float64) * MICROS
    nearest = np.rint(scaled)
    # 4.03 * 1e6 is a little more than 4,030,000: that alone must not cost a millionth
    is_whole = np.abs(scaled - nearest) <= ROUNDING * np.abs(scaled)
    return np.where(is_whole, nearest, np.ceil(scaled)).astype(np.int64)
