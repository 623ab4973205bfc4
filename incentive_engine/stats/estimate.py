"""A number that is known with some uncertainty."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval, where there is one."""

    value: float
    low: float | None = None
    high: float | None = None
