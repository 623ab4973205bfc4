"""What the chosen pairs are worth: one number per user and measure."""

from __future__ import annotations

import numpy as np

from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.tables.arrow import FloatColumn
from incentive_engine.data.tables.scratch import pick
from incentive_engine.domain import (
    CONVERSION,
    SPEND,
    ChoiceArray,
    FloatArray,
)


def of_choice(table: ScoreTable, measure: str, choice: ChoiceArray) -> FloatArray:
    """Return (n,) float64 a measure of the chosen pairs, 0 for none."""
    return pick(table.measures[measure], choice).astype(np.float64, copy=False)


def share_of(part: float, whole: float) -> float:
    """Return part / whole, 0 where the whole is 0."""
    return float(part / whole) if whole else 0.0


def measures_of(table: ScoreTable) -> dict[str, FloatColumn]:
    """Return what a point adds up: measure to (k, n)."""
    return {name: table.measures[name] for name in (CONVERSION, SPEND) if table.has(name)}
