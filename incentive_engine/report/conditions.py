"""Which users and pairs something is about."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnTest:
    """What a column must have: one of some values, or a number in a range."""

    column: str
    values: tuple[str, ...] = ()
    at_least: float | None = None
    below: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a limit sums over whom."""

    measures: tuple[str, ...] = ()
    """One measure, or numerator and denominator; none for the budget."""
    offers: tuple[str, ...] = ()
    """All, where there is none."""
    tests: tuple[ColumnTest, ...] = ()
