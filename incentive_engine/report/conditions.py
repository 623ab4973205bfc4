"""Which users and pairs something is about, and what a shop has to publish of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicOffer:
    """One offer as the public rules name it."""

    name: str
    face_value: float
    min_spend: float | None
    tests: tuple[ColumnTest, ...]
    """What a user must have to get it."""
    valid_from: datetime | None
    valid_to: datetime | None
    funder: str | None
    stock: int | None
    """How many there are; None where that is not limited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicRules:
    """What a shop has to publish about a promotion."""

    offers: tuple[PublicOffer, ...]
    everyone: bool
    """Every user gets an offer."""
    criteria: tuple[str, ...]
    """Columns by which outcomes count more or less."""
    holdout: float
