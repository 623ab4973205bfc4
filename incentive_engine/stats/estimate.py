"""A number that is known with some uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval, where there is one.

    Attributes
    ----------
    value
        In the measure's own unit.
    standard_error, low, high
        In the same unit; NaN where the uncertainty is not known.
    """

    value: float
    standard_error: float = math.nan
    low: float = math.nan
    high: float = math.nan

    @property
    def has_interval(self) -> bool:
        """Whether the uncertainty is known."""
        return not (math.isnan(self.low) or math.isnan(self.high))

    def times(self, factor: float) -> Estimate:
        """Return the estimate of so many times the number; the factor is at least 0.

        >>> Estimate(value=0.5, low=0.25, high=0.75).times(4)
        Estimate(value=2.0, standard_error=nan, low=1.0, high=3.0)
        """
        return Estimate(
            value=self.value * factor,
            standard_error=self.standard_error * factor,
            low=self.low * factor,
            high=self.high * factor,
        )

    def to_dict(self) -> dict[str, float]:
        """Return the four numbers, as the files of models and plans name them."""
        return {
            "estimate": self.value,
            "standard_error": self.standard_error,
            "low": self.low,
            "high": self.high,
        }

    def _repr_html_(self) -> str:
        if not self.has_interval:
            return f"<b>{self.value:,.6g}</b>"
        return f"<b>{self.value:,.6g}</b> ({self.low:,.6g} to {self.high:,.6g})"


def as_plain(content: Any) -> Any:  # noqa: ANN401 - whatever a dataclass holds
    """Return dataclasses as dictionaries, all the way down; an estimate as `Estimate.to_dict`.

    >>> as_plain((Estimate(value=0.5, standard_error=0.1, low=0.3, high=0.7), 2))[0]["estimate"]
    0.5
    """
    if isinstance(content, Estimate):
        return content.to_dict()
    if is_dataclass(content):
        return {part.name: as_plain(getattr(content, part.name)) for part in fields(content)}
    if isinstance(content, Mapping):
        return {key: as_plain(value) for key, value in content.items()}
    if isinstance(content, tuple | list):
        return [as_plain(value) for value in content]
    return content
