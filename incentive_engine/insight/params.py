"""What findings take as small, dear, or too large to look at twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from incentive_engine.knobs import Knobs, knob


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightParams(Knobs):
    """What findings take as small, dear, or too large to look at twice."""

    smallest_group: int = knob(20, 1, 10**6)
    """Figures of fewer users than this stay out of the report: they could tell of a person."""
    dearest_exploring: float = knob(0.02, 1e-6, 1.0)
    """Exploring is not proposed beyond the share that costs this part of the plan's value."""
    solved_again: int = knob(1_000_000, 0, 10**12)
    """Up to so many users, what the holdout and exploring cost is found by a second problem; of
    more, it would double the memory, and is not told."""


INSIGHT: Final = InsightParams()
"""What the program takes."""
