"""What the chosen pairs are worth: one number per user and measure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.tables.arrow import FloatColumn
from incentive_engine.data.tables.scratch import pick
from incentive_engine.domain import (
    CONVERSION,
    MICROS,
    SPEND,
    BoolArray,
    ChoiceArray,
    FloatArray,
    IntArray,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen:
    """A plan's pairs, by the scores.

    Attributes
    ----------
    choice
        (n,) int16, index of the offer, −1 for none.
    conversion
        (n,) float64, incremental conversion probability, 0 for none.
    spend
        (n,) float64, incremental spend, currency units; None when the scores have no spend.
    cost_micros
        (n,) int64, expected cost, millionths of the currency unit.
    """

    choice: ChoiceArray
    conversion: FloatArray
    spend: FloatArray | None
    cost_micros: IntArray

    @property
    def treated(self) -> BoolArray:
        """(n,) bool, who gets an offer."""
        return self.choice >= 0

    @property
    def cost(self) -> FloatArray:
        """(n,) float64, expected cost, currency units."""
        return np.asarray(self.cost_micros / MICROS, dtype=np.float64)


def chosen_pairs(table: ScoreTable, choice: ChoiceArray, cost_micros: IntArray) -> Chosen:
    """Look the chosen pairs up in the score table."""
    return Chosen(
        choice=choice,
        conversion=_of_choice(table, CONVERSION, choice),
        spend=_of_choice(table, SPEND, choice) if table.has(SPEND) else None,
        cost_micros=cost_micros,
    )


def _of_choice(table: ScoreTable, measure: str, choice: ChoiceArray) -> FloatArray:
    return pick(table.measures[measure], choice).astype(np.float64, copy=False)


def share_of(part: float, whole: float) -> float:
    """Return part / whole, 0 where the whole is 0."""
    return float(part / whole) if whole else 0.0


def measures_of(table: ScoreTable) -> dict[str, FloatColumn]:
    """Return what a point adds up: measure to (k, n)."""
    return {name: table.measures[name] for name in (CONVERSION, SPEND) if table.has(name)}
