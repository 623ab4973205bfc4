"""Amounts of money as programs send and read them: integers of millionths, or decimal text."""

from __future__ import annotations

import re
from decimal import Decimal

from incentive_engine.domain import MICROS


def parse_micros(amount: object) -> int:
    """Return an amount in millionths of the currency unit.

    >>> parse_micros("37.50"), parse_micros(37_500_000)
    (37500000, 37500000)

    Raises
    ------
    ValueError
        With what is wrong with it: a float, a sign, an exponent, a part of a millionth.
    """
    if isinstance(amount, int) and not isinstance(amount, bool):
        # 10**18: millionths; a sum of a few of them still fits into 64 bits
        if 0 <= amount <= 10**18:
            return amount
        raise ValueError("is below 0" if amount < 0 else "is too large")
    if isinstance(amount, float):
        raise ValueError("is a binary fraction, which cannot hold most amounts of money")  # noqa: TRY004 - the caller tells values, not types
    if not isinstance(amount, str):
        raise ValueError("is no amount")  # noqa: TRY004 - likewise
    if amount.startswith("-"):
        raise ValueError("is below 0")
    # no sign, no exponent, no more places than a millionth has
    if not re.fullmatch(r"\d{1,12}(\.\d{1,6})?", amount) or not amount.isascii():
        raise ValueError("is no plain decimal number with at most six places")
    return int(Decimal(amount) * MICROS)


def decimal_text(micros: int) -> str:
    """Return millionths as the shortest decimal text.

    >>> decimal_text(37_500_000), decimal_text(-1), decimal_text(5_000_000)
    ('37.5', '-0.000001', '5')
    """
    whole, part = divmod(abs(micros), MICROS)
    text = f"{whole}.{part:06d}".rstrip("0").rstrip(".")
    return f"-{text}" if micros < 0 else text
