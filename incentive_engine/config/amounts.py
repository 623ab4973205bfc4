"""Amounts of money and shares as planners write them: ``200k``, ``50万``, ``25%``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from incentive_engine.language import say

UNITS: Final = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "bn": 10**9,
    "万": 10**4,
    "亿": 10**8,
}


@dataclass(frozen=True, slots=True)
class Bound:
    """The right-hand side of a limit: a number, or a share."""

    value: float
    """The number, or the share with 0.25 for ``25%``."""
    is_share: bool = False
    """Whether it is a share: of the budget or of the users, or of the plan's own total."""
    of_plan: bool = False
    """Whether it is a share of what the whole plan adds up to in the same measure."""

    def __str__(self) -> str:
        """Return the bound as a planner reads it.

        >>> str(Bound(0.07, is_share=True)), str(Bound(5000.0))
        ('7%', '5000')
        >>> str(Bound(0.07, is_share=True, of_plan=True))
        '7% of spent'
        """
        share = f"{self.value * 100:.10g}%"
        return (share + " of spent" * self.of_plan) if self.is_share else f"{self.value:.12g}"


def parse_amount(text: object) -> float:
    """Read an amount of money, in currency units.

    >>> [parse_amount(t) for t in ("200k", "200_000", "1.2亿", 5)]
    [200000.0, 200000.0, 120000000.0, 5.0]

    Raises
    ------
    ValueError
        When it is not a finite number with an optional unit.
    """
    try:
        number = _amount(text)
    except ArithmeticError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(say("`{text}` is not a finite amount", text=text))
    return number


def parse_sum(text: object) -> float:
    """Read an amount that sums are compared to; one that they cannot be is refused.

    Raises
    ------
    ValueError
        As `parse_amount`, or when it is too large or too near to 0.
    """
    number = parse_amount(text)
    # beyond these, floats cannot tell neighbours apart, or divide
    smallest, largest = 1e-9, 1e18
    if abs(number) > largest or 0 < abs(number) < smallest:
        if abs(number) > 1:
            large = say("`{text}` is too large to be an amount; write another unit", text=text)
            raise ValueError(large)
        small = "`{text}` is too small to be an amount; write another unit, or 0"
        raise ValueError(say(small, text=text))
    return number


def _amount(text: object) -> float:
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    match = (
        re.fullmatch(
            r"(?P<number>[+-]?(?:\d[\d_]*)?(?:\.\d+)?(?:e[+-]?\d+)?)\s*(?P<unit>k|m|bn|万|亿)?",
            text.strip(),
            flags=re.IGNORECASE,
        )
        if isinstance(text, str)
        else None
    )
    if match is None or not any(c.isdigit() for c in match["number"]):
        raise ValueError(
            say("`{text}` is not an amount; write 200000, 200_000, 200k, 5m or 50万", text=text)
        )
    # in decimals: 1.1m is 1,100,000, not a binary neighbour
    return float(Decimal(match["number"]) * UNITS[(match["unit"] or "").lower()])


def parse_amounts(text: str) -> tuple[float, ...]:
    """Read several amounts, in rising order: ``100k,200k``, or ``50k..2m:50`` for 50 of them.

    Amounts of a range are evenly spaced and rounded to hundredths.

    >>> parse_amounts("200k,100k"), parse_amounts("0..1m:3")
    ((100000.0, 200000.0), (0.0, 500000.0, 1000000.0))

    Raises
    ------
    ValueError
        When an item is neither an amount of at least 0 nor a range, or an amount stands twice.
    """
    amounts = [amount for item in text.split(",") for amount in _part(item.strip())]
    if least := [amount for amount in amounts if amount < 0]:
        raise ValueError(say("`{least:g}` is below 0", least=least[0]))
    # each budget is a row of the table, and rows are told apart by it
    if len(set(amounts)) < len(amounts):
        raise ValueError(say("an amount stands twice"))
    return tuple(sorted(amounts))


def _part(text: str) -> list[float]:
    """Return the amounts of one part of a list."""
    # `1,000` read as a list would be 1 and 0, a plan for nothing
    if re.fullmatch(r"0\d+", text):
        raise ValueError(
            say(
                "`{text}` begins with 0; a comma separates amounts, write 200000 or 200k",
                text=text,
            )
        )
    low, dots, end = text.partition("..")
    if not dots:
        return [parse_sum(text)]
    high, _, number = end.partition(":")
    # amounts of one range
    most = 1_000
    if not number.strip().isdigit() or not 2 <= int(number) <= most:
        raise ValueError(
            say(
                "`{text}` is not a range; write 50k..2m:50, with 2 to {most} amounts",
                text=text,
                most=most,
            )
        )
    first, last, steps = parse_sum(low), parse_sum(high), int(number) - 1
    if first >= last:
        raise ValueError(say("`{text}` does not rise", text=text))
    return [round(first + (last - first) * step / steps, 2) for step in range(steps + 1)]


def parse_share(text: object) -> float:
    """Read a share written as a number from 0 to 1 or as a percentage.

    >>> parse_share("5%"), parse_share(0.05)
    (0.05, 0.05)

    Raises
    ------
    ValueError
        When it is neither, or outside 0 to 100 %.
    """
    share = _share(text)
    if not 0 <= share <= 1:
        raise ValueError(say("`{text}` is outside 0 to 100 %", text=text))
    return float(share)


def _share(text: object) -> Decimal | float:
    if isinstance(text, int | float) and not isinstance(text, bool):
        return text
    number, percent, behind = (
        text.strip().partition("%") if isinstance(text, str) else ("", "", "")
    )
    if behind or not re.fullmatch(r"\s*[+-]?\d[\d_]*(\.\d+)?\s*", number):
        raise ValueError(say("`{text}` is not a share; write 0.05 or 5%", text=text))
    return Decimal(number.strip()) / (100 if percent else 1)


def parse_bound(text: object) -> Bound:
    """Read the right-hand side of a limit.

    >>> [str(parse_bound(text)) for text in ("25%", "200k", "25%  of spent")]
    ['25%', '200000', '25% of spent']
    """
    if isinstance(text, Bound):
        return text
    if isinstance(text, str) and "%" in text:
        share, _, whole = text.partition("%")
        of_plan = whole.split() == ["of", "spent"]
        return Bound(parse_share(f"{share}%" if of_plan else text), is_share=True, of_plan=of_plan)
    return Bound(parse_sum(text))


def write_bound(bound: Bound) -> float | str:
    """Write a bound so that `parse_bound` reads the same again.

    >>> write_bound(Bound(0.07, is_share=True)), write_bound(Bound(5000.0))
    ('7.00%', 5000.0)
    """
    if not bound.is_share:
        return bound.value
    return f"{Decimal(repr(bound.value)) * 100:f}%" + " of spent" * bound.of_plan
