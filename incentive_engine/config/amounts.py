"""Amounts of money and shares as planners write them: ``200k``, ``50万``, ``25%``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

UNITS: Final = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "bn": 10**9,
    "万": 10**4,
    "亿": 10**8,
}
AMOUNT: Final = re.compile(
    r"(?P<number>[+-]?(?:\d[\d_]*)?(?:\.\d+)?(?:e[+-]?\d+)?)\s*(?P<unit>k|m|bn|万|亿)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Bound:
    """The right-hand side of a limit: a number, or a share of the budget or of the users."""

    value: float
    """The number, or the share with 0.25 for ``25%``."""
    is_share: bool = False


def parse_amount(text: object) -> float:
    """Read an amount of money, in currency units.

    >>> [parse_amount(t) for t in ("200k", "200_000", "1.2亿", 5)]
    [200000.0, 200000.0, 120000000.0, 5.0]

    Raises
    ------
    ValueError
        When it is not a finite number with an optional unit.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        number = float(text)
    else:
        match = AMOUNT.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None or not any(c.isdigit() for c in match["number"]):
            raise ValueError(f"{text!r} is not an amount; write 200000, 200_000, 200k, 5m or 50万")
        number = float(Decimal(match["number"]) * UNITS[(match["unit"] or "").lower()])
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a finite amount")
    return number


def parse_share(text: object) -> float:
    """Read a share written as a number from 0 to 1 or as a percentage.

    >>> parse_share("5%"), parse_share(0.05)
    (0.05, 0.05)

    Raises
    ------
    ValueError
        When it is neither, or outside 0 to 100 %.
    """
    if isinstance(text, str) and text.strip().endswith("%"):
        share = float(Decimal(_number(text.strip()[:-1])) / 100)
    elif isinstance(text, int | float) and not isinstance(text, bool):
        share = float(text)
    else:
        raise ValueError(f"{text!r} is not a share; write 0.05 or 5%")
    if not 0 <= share <= 1:
        raise ValueError(f"{text} is outside 0 to 100 %")
    return share


def parse_bound(text: object) -> Bound:
    """Read the right-hand side of a limit.

    >>> parse_bound("25%"), parse_bound("200k")
    (Bound(value=0.25, is_share=True), Bound(value=200000.0, is_share=False))
    """
    if isinstance(text, Bound):
        return text
    if isinstance(text, str) and text.strip().endswith("%"):
        return Bound(parse_share(text), is_share=True)
    return Bound(parse_amount(text))


def write_bound(bound: Bound) -> float | str:
    """Write a bound so that `parse_bound` reads the same again.

    >>> write_bound(Bound(0.07, is_share=True)), write_bound(Bound(5000.0))
    ('7.00%', 5000.0)
    """
    return f"{Decimal(repr(bound.value)) * 100:f}%" if bound.is_share else bound.value


def _number(text: str) -> str:
    if not re.fullmatch(r"\s*[+-]?\d[\d_]*(\.\d+)?\s*", text):
        raise ValueError(f"{text!r} is not a number")
    return text.strip()
