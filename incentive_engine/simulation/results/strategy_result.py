"""The columns that comparisons of worlds and of logged trials have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from incentive_engine.config.scenario import Scenario, Strategy
from incentive_engine.stats.draws import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyResult:
    """What a strategy brought with a budget, against nobody and against the baseline.

    Attributes
    ----------
    conversions, gain
        Totals; `gain` over the baseline, `gain_share` relative to it.
    spend, cost
        Totals, currency units; `roi` is their ratio.
    per_cost, better
        Conversions per `PER` currency units, and how far above the baseline's, relative.
    """

    PER: ClassVar = 1000
    """Efficiency is stated in conversions per this many currency units."""

    conversions: Interval
    gain: Interval
    gain_share: float
    spend: float
    cost: float
    roi: float
    treated: float
    per_cost: Interval
    better: Interval

    def columns(self) -> dict[str, object]:
        """Return the common columns, the contract's first."""
        return {
            "conversions": self.conversions.value,
            "conversions_low": self.conversions.low,
            "conversions_high": self.conversions.high,
            "spend": self.spend,
            "cost": self.cost,
            "treated": self.treated,
            "roi": self.roi,
            "gain_vs_baseline": self.gain.value,
            "gain_low": self.gain.low,
            "gain_high": self.gain.high,
            "gain_share": self.gain_share,
            "conversions_per_1000": self.per_cost.value,
            "conversions_per_1000_low": self.per_cost.low,
            "conversions_per_1000_high": self.per_cost.high,
            "efficiency_gain": self.better.value,
            "efficiency_gain_low": self.better.low,
            "efficiency_gain_high": self.better.high,
        }


def table_of(
    scenario: Scenario, row: Callable[[Strategy, int], dict[str, object]]
) -> pd.DataFrame:
    """Return one row per strategy and budget, from the columns that `row` gives each."""
    return pd.DataFrame(
        [
            {"strategy": strategy, "budget": budget, **row(strategy, b)}
            for strategy in scenario.strategies
            for b, budget in enumerate(scenario.budgets)
        ]
    )


def pair_frame(pairs: Iterable[tuple[object, ...]]) -> pd.DataFrame:
    """Return comparisons of two strategies each as a table."""
    columns = ["budget", "strategy", "against", "difference", "low", "high", "wins"]
    return pd.DataFrame(list(pairs), columns=columns)
