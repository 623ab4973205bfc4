"""How numbers read on the page."""

from __future__ import annotations

import math
from typing import Final

DASH: Final = "–"
"""What stands where a number is unknown or does not apply."""

Units = tuple[tuple[float, str], ...]


def units_of(code: str) -> Units:
    """Return what figures on an axis are cut to in a language, the largest unit first."""
    return ((1e8, "亿"), (1e4, "万")) if code == "zh" else ((1e9, "bn"), (1e6, "m"), (1e3, "k"))


def _with_minus(text: str) -> str:
    # a hyphen is shorter than a digit, so that columns of figures would not stand straight
    return text.replace("-", "−")


def number(value: float | None, digits: int | None = None) -> str:
    """Return a number with separators; without `digits`, as many as its size deserves.

    >>> [number(v) for v in (1234.5, 12.345, -0.1234, -0.001, None)]
    ['1,234', '12.3', '−0.12', '0.00', '–']
    """
    if value is None or not math.isfinite(value):
        return DASH
    if digits is None:
        digits = places(value)
    return _with_minus(f"{value:z,.{digits}f}")


def places(*values: float) -> int:
    """Return the decimals that figures which stand together deserve, by the largest.

    >>> places(8.12, 323.0), places(0.0), places(5.17, 10.6)
    (0, 0, 1)
    """
    size = max(abs(value) for value in values)
    return 0 if size >= 100 or size == 0 else 1 if size >= 10 else 2


def count(value: int | None) -> str:
    """Return a whole number with separators.

    >>> count(50000)
    '50,000'
    """
    return DASH if value is None else f"{value:,d}"


def money(value: float | None) -> str:
    """Return an amount of currency: whole from 1,000 on, else with two digits.

    >>> money(199999.4), money(12.5)
    ('199,999', '12.50')
    """
    return number(value, None if value is None else 0 if abs(value) >= 1000 else 2)


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share as a percentage.

    >>> percent(0.25), percent(None), percent(math.nan)
    ('25.0 %', '–', '–')
    """
    if share is None or not math.isfinite(share):
        return DASH
    return f"{number(share * 100, digits)} %"


def tiny_percent(share: float) -> str:
    """Return a small share with two significant digits, and zero as zero.

    >>> tiny_percent(0.0000123), tiny_percent(0.0), tiny_percent(0.025)
    ('0.0012 %', '0 %', '2.5 %')
    """
    value = share * 100
    if abs(value) < 1e-12:
        return "0 %"
    digits = max(0, 1 - math.floor(math.log10(abs(value))))
    return f"{number(value, digits)} %"


def bound_percent(share: float) -> str:
    """Return a share that something stays below, rounded up: what is less than 0.01 % reads so.

    >>> bound_percent(2.1e-7), bound_percent(0.000123), bound_percent(0.0250001)
    ('0.01 %', '0.013 %', '2.6 %')
    """
    # a bound nearer to nothing tells people no more
    least = 0.01
    value = share * 100
    if value <= least:
        return f"{number(least, 2)} %"
    digits = max(0, 1 - math.floor(math.log10(value)))
    step = 10.0**-digits
    # what float64 adds to a share that has two digits already is no reason to round up
    rounding = 1e-9
    return f"{number(math.ceil(value / step - rounding) * step, digits)} %"


def compact(value: float, code: str = "en") -> str:
    """Return a number for an axis, in a language.

    >>> [compact(v) for v in (200_000, 1_500_000, 1.04, 0.05, 0)]
    ['200k', '1.5m', '1.04', '0.05', '0']
    >>> compact(200_000, "zh")
    '20万'
    """
    for step, unit in units_of(code):
        if abs(value) >= step:
            return _with_minus(f"{value / step:g}{unit}")
    if abs(value) >= 1e3:
        return number(value, 0 if float(value).is_integer() else 1)
    return _with_minus(f"{value:.4g}")


def significant(value: float, digits: int = 3, *, trimmed: bool = False) -> str:
    """Return a number with some significant digits; `trimmed`, without zeros at their end.

    >>> significant(0.0312345), significant(31.2345), significant(31234.5)
    ('0.0312', '31.2', '31,234')
    >>> significant(20.0, 4, trimmed=True)
    '20'
    """
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = number(value, places)
    return text.rstrip("0").rstrip(".") if trimmed and "." in text else text
