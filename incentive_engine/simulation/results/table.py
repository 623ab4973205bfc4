"""From draws of a world to one row per strategy and budget, and to paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
import pandas as pd

from incentive_engine.config.scenario import Scenario, Strategy
from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.simulation.figures import FIGURES, LEARNED, DrawResult
from incentive_engine.simulation.results.strategy_result import (
    StrategyResult,
    pair_frame,
    table_of,
)
from incentive_engine.stats.draws import (
    mean_interval,
    quotient_interval,
    ratio_interval,
    share_interval,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """Figures of all draws.

    Attributes
    ----------
    scenario
        Names strategies and budgets.
    array : (rows, strategies, budgets, figures) float64
        In the order of the scenario, and of `FIGURES` and, of a series, `LEARNED`. A row is one
        campaign of a draw, draw by draw.
    trial : (rows,) int64
        Which trial each draw learnt from.
    campaigns
        How many rows a draw has.
    """

    scenario: Scenario
    array: FloatArray
    trial: IntArray
    campaigns: int

    @classmethod
    def of(cls, scenario: Scenario, results: Mapping[int, DrawResult]) -> Self:
        """Stack the results of draws, draw to result."""
        trials = (scenario.world.trials if scenario.world else None) or scenario.draws
        campaigns = scenario.series.campaigns if scenario.series else 1
        return cls(
            scenario=scenario,
            array=np.concatenate([result.figures for result in results.values()]),
            trial=np.repeat([draw % trials for draw in results], campaigns),
            campaigns=campaigns,
        )

    @property
    def independent(self) -> int:
        """How many means do not depend on each other: one per trial."""
        return len(np.unique(self.trial))

    def figure(self, name: str, strategy: Strategy, budget: int) -> FloatArray:
        """Return (trials,) float64: means over the draws of each trial, and their campaigns."""
        each = self.each(name, strategy, budget)
        _, group = np.unique(self.trial, return_inverse=True)
        return np.bincount(group, weights=each) / np.bincount(group)

    def each(self, name: str, strategy: Strategy, budget: int) -> FloatArray:
        """Return (rows,) float64; nobody, who changes nothing, need not have been replayed."""
        if strategy not in self.scenario.strategies:
            return np.zeros(len(self.array))
        place = self.scenario.strategies.index(strategy)
        values: FloatArray = self.array[:, place, budget, (*FIGURES, *LEARNED).index(name)]
        return values

    def __len__(self) -> int:
        return len(self.array) // self.campaigns


def comparison_table(draws: Draws) -> pd.DataFrame:
    """Return one row per strategy and budget."""
    return table_of(draws.scenario, partial(_row, draws))


def pair_table(draws: Draws) -> pd.DataFrame:
    """Return the difference in conversions of each pair of strategies, with the same chances."""
    return pair_frame(_pairs(draws))


def _row(draws: Draws, strategy: Strategy, b: int) -> dict[str, object]:
    base, budget = draws.scenario.baseline, draws.scenario.budgets[b]
    conversions, cost = (draws.figure(name, strategy, b) for name in ("conversions", "cost"))
    spend = draws.figure("spend", strategy, b)
    before, before_cost = (draws.figure(name, base, b) for name in ("conversions", "cost"))
    ones = np.ones(draws.independent)
    earned = StrategyResult(
        conversions=mean_interval(conversions),
        gain=mean_interval(conversions - before),
        gain_share=quotient_interval((conversions, ones), (before, ones)).value,
        spend=float(spend.mean()),
        cost=float(cost.mean()),
        roi=ratio_interval(spend, cost).value,
        treated=float(draws.figure("treated", strategy, b).mean()),
        per_cost=ratio_interval(StrategyResult.PER * conversions, cost),
        better=quotient_interval((conversions, cost), (before, before_cost)),
    )
    return {
        **earned.columns(),
        **_truth(draws, strategy, b),
        **_group(draws, strategy, b),
        **_overspending(draws.each("cost", strategy, b), budget),
        "planned_cost": float(draws.figure("planned", strategy, b).mean()),
        "face_value": float(draws.figure("face", strategy, b).mean()),
        "draws": len(draws),
    }


def _truth(draws: Draws, strategy: Strategy, b: int) -> dict[str, float]:
    """Return the value in the policy's aim, beside the baseline's and the oracles'."""

    def share(name: str, oracle: Strategy) -> float:
        if oracle not in draws.scenario.strategies:
            return float("nan")
        return ratio_interval(draws.figure(name, strategy, b), draws.figure(name, oracle, b)).value

    base, ones = draws.scenario.baseline, np.ones(draws.independent)
    value, before = (draws.figure("value", name, b) for name in (strategy, base))
    mean, better = mean_interval(value), quotient_interval((value, ones), (before, ones))
    return {
        "value": mean.value,
        "value_low": mean.low,
        "value_high": mean.high,
        "value_gain": better.value,
        "value_gain_low": better.low,
        "value_gain_high": better.high,
        "expected_conversions": float(draws.figure("true_conversions", strategy, b).mean()),
        "expected_cost": float(draws.figure("true_cost", strategy, b).mean()),
        "share_of_oracle": share("value", "oracle"),
        "share_of_oracle_unweighted": share("true_conversions", "oracle-unweighted"),
    }


def _group(draws: Draws, strategy: Strategy, b: int) -> dict[str, float]:
    """Return the favoured group's share of offers, money and conversions."""
    return {
        f"favoured_share_of_{name}": ratio_interval(
            draws.figure(f"favoured_{name}", strategy, b), draws.figure(name, strategy, b)
        ).value
        for name in ("treated", "cost", "conversions")
    }


def _overspending(cost: FloatArray, budget: float) -> dict[str, float]:
    over = cost > budget
    share = share_interval(float(over.mean()), len(cost))
    return {
        "overspend_probability": share.value,
        "overspend_probability_low": share.low,
        "overspend_probability_high": share.high,
        "overspend_size": float((cost[over] - budget).mean()) if over.any() else 0.0,
        "overspend_largest": float((cost - budget).max(initial=0.0)),
    }


def _pairs(draws: Draws) -> Iterator[tuple[object, ...]]:
    names = draws.scenario.strategies
    for b, budget in enumerate(draws.scenario.budgets):
        for i, one in enumerate(names):
            for two in names[i + 1 :]:
                gap = draws.figure("conversions", two, b) - draws.figure("conversions", one, b)
                each = draws.each("conversions", two, b) - draws.each("conversions", one, b)
                mean, wins = mean_interval(gap), float((each > 0).mean())
                yield budget, two, one, mean.value, mean.low, mean.high, wins
