"""What a draw says about each strategy and budget: its figures by name, and its course."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from incentive_engine.domain import ChoiceArray, FloatArray

FIGURES: Final = (
    "conversions", "spend", "cost",                 # what happened, against giving nobody anything
    "true_conversions", "true_spend", "true_cost",  # its expectation
    "value",                                        # of the true effects, in the policy's aim
    "treated", "planned", "face",
    "favoured_treated", "favoured_cost", "favoured_conversions",
    "stated", "stated_low", "stated_high",          # conversions that the engine promises
    "dry_after",
)  # fmt: skip
"""What a draw says about each strategy and budget; not a number where it does not apply."""
LEARNED: Final = (
    "explorers",  # users who got an arm by lot
    "exploring_cost",  # true conversions more if the same forecasts had decided on all
    "trial_rows",  # rows that the plan was learned from
)
"""What a draw says beyond these about each campaign of a series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveFigures:
    """What one wave of one strategy did; money in currency units."""

    came: int
    """Users who came."""
    treated: int
    """Offers handed out."""
    turned_away: int
    """Users whose planned offer was withheld because the pool had no money left."""
    lapsed: int
    """Offers that lapsed unused, of users who would have converted with them."""
    committed: float
    """Forecast cost of the offers handed out."""
    cost: float
    """What these offers cost in the end."""
    first_hour: float
    """Share of the whole pool that was committed in the wave's first hour."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """How a campaign went under one strategy.

    Attributes
    ----------
    choice : (n,) int16
        Offers handed out.
    waves
        One per wave.
    dry_after : float
        Hours from the start until the pool was dry; infinite where it never was.
    """

    choice: ChoiceArray
    waves: tuple[WaveFigures, ...]
    dry_after: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawResult:
    """What one draw of one variant showed.

    Attributes
    ----------
    figures : (campaigns, strategies, budgets, figures) float64
        In the order of the scenario and of `FIGURES`; of a series `LEARNED` follow. Without a
        series there is one campaign.
    courses
        (strategy, budget) to the course of the campaign, where there is a calendar; without
        choices.
    """

    figures: FloatArray
    courses: dict[tuple[int, int], Course]
