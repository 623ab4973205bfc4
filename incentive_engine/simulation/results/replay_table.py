"""From replays of a logged trial to one row per strategy and budget, and to paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
import pandas as pd

from incentive_engine.config.scenario import Scenario, Strategy
from incentive_engine.domain import OUTCOMES, FloatArray
from incentive_engine.language import Message, say
from incentive_engine.simulation.offpolicy import ChoiceValuation, ReplayResult, overlap_warning
from incentive_engine.simulation.results.strategy_result import (
    StrategyResult,
    pair_frame,
    table_of,
)
from incentive_engine.stats.draws import Interval
from incentive_engine.stats.intervals import NORMAL_95


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replays:
    """All replays of a trial, averaged row by row.

    Splitting the same rows again tells nothing new about them, so the interval comes from the
    spread of the rows, each averaged over the replays.

    Attributes
    ----------
    rows : (strategies, budgets, n, estimators, measures) float64
        Mean contributions.
    results
        The replays.
    """

    scenario: Scenario
    rows: FloatArray
    results: Sequence[ReplayResult]

    @classmethod
    def of(cls, scenario: Scenario, results: Sequence[ReplayResult]) -> Self:
        """Average the replays."""
        rows = np.zeros(results[0].rows.shape)
        for result in results:
            rows += result.rows
        return cls(scenario=scenario, rows=rows / len(results), results=results)

    def contributions(
        self, strategy: Strategy, b: int, measure: str = "conversion", estimator: str = "dr"
    ) -> FloatArray:
        """Return (n,) float64; nobody, who changes nothing, need not have been replayed."""
        if strategy not in self.scenario.strategies:
            return np.zeros(self.rows.shape[2])
        s = self.scenario.strategies.index(strategy)
        place = (ChoiceValuation.ESTIMATORS.index(estimator), OUTCOMES.index(measure))
        values: FloatArray = self.rows[s, b, :, place[0], place[1]]
        return values


def replay_table(replays: Replays) -> pd.DataFrame:
    """Return one row per strategy and budget; totals over the trial's rows."""
    return table_of(replays.scenario, partial(_row, replays))


def replay_pairs(replays: Replays) -> pd.DataFrame:
    """Return the doubly robust difference in conversions of each pair of strategies."""
    return pair_frame(_pairs(replays))


def total(rows: FloatArray) -> Interval:
    """Return a sum over rows, (n,) float64, with its 95 % interval."""
    half = NORMAL_95 * float(np.sqrt(len(rows)) * rows.std())
    value = float(rows.sum())
    return Interval(value, value - half, value + half)


def quotient(top: FloatArray, bottom: FloatArray, *, scale: float = 1.0) -> Interval:
    """Return scale × Σtop / Σbottom with its 95 % interval by the delta method."""
    below = float(bottom.sum())
    if below == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    ratio = float(top.sum()) / below
    half = NORMAL_95 * float(np.sqrt(len(top)) * (top - ratio * bottom).std()) / abs(below)
    return Interval(scale * ratio, scale * (ratio - half), scale * (ratio + half))


def _row(replays: Replays, strategy: Strategy, b: int) -> dict[str, object]:
    base = replays.scenario.baseline
    conversion = replays.contributions(strategy, b)
    spend, cost = (replays.contributions(strategy, b, name) for name in ("spend", "cost"))
    before = replays.contributions(base, b)
    gain = total(conversion - before)
    earned = StrategyResult(
        conversions=total(conversion),
        gain=gain,
        gain_share=gain.value / before.sum() if before.sum() else float("nan"),
        spend=float(spend.sum()),
        cost=float(cost.sum()),
        roi=quotient(spend, cost).value,
        treated=_treated(replays, strategy, b),
        per_cost=quotient(conversion, cost, scale=StrategyResult.PER),
        better=_better(conversion, cost, before, replays.contributions(base, b, "cost")),
    )
    return earned.columns() | _others(replays, strategy, b)


def _better(
    conversion: FloatArray, cost: FloatArray, before: FloatArray, before_cost: FloatArray
) -> Interval:
    """Return the gain in conversions per money over the baseline, with its 95 % interval."""
    sums = [float(rows.sum()) for rows in (conversion, cost, before, before_cost)]
    if 0.0 in sums:
        return Interval(float("nan"), float("nan"), float("nan"))
    ratio = sums[0] / sums[1] / (sums[2] / sums[3])
    relative = conversion / sums[0] - cost / sums[1] - before / sums[2] + before_cost / sums[3]
    half = NORMAL_95 * abs(ratio) * float(np.sqrt(len(relative)) * relative.std())
    return Interval(ratio - 1, ratio - 1 - half, ratio - 1 + half)


def _treated(replays: Replays, strategy: Strategy, b: int) -> float:
    s = replays.scenario.strategies.index(strategy)
    return float(
        np.mean([sum(v.treated for v in result.valuations[s, b]) for result in replays.results])
    )


def _others(replays: Replays, strategy: Strategy, b: int) -> dict[str, object]:
    """Return spend's interval, the other estimators, and how far the trial overlaps."""
    s = replays.scenario.strategies.index(strategy)
    columns: dict[str, object] = {}
    spend = total(replays.contributions(strategy, b, "spend"))
    columns |= {"spend_low": spend.low, "spend_high": spend.high}
    for estimator in ("sn", "ipw"):
        rows = total(replays.contributions(strategy, b, estimator=estimator))
        columns |= {
            f"conversions_{estimator}": rows.value,
            f"conversions_{estimator}_low": rows.low,
            f"conversions_{estimator}_high": rows.high,
        }
    each = [result.valuations[s, b] for result in replays.results]
    planned = np.mean([result.planned[s, b] for result in replays.results])
    group = np.mean([result.favoured[s, b] for result in replays.results], axis=0)
    treated = _treated(replays, strategy, b)
    known = bool(replays.scenario.favoured) and treated > 0
    return columns | {
        "effective_sample_size": float(np.mean([sum(v.effective for v in p) for p in each])),
        "matched_rows": float(np.mean([sum(v.matched for v in p) for p in each])),
        "overlap_warning": next((w for parts in each if (w := overlap_warning(parts))), None),
        "favoured_share_of_treated": float(group[0] / treated) if known else float("nan"),
        "favoured_share_of_cost": float(group[1] / planned) if known else float("nan"),
        "planned_cost": float(planned),
        "draws": len(replays.results),
    }


def _pairs(replays: Replays) -> Iterator[tuple[object, ...]]:
    names = replays.scenario.strategies
    for b, budget in enumerate(replays.scenario.budgets):
        for i, one in enumerate(names):
            for two in names[i + 1 :]:
                gap = replays.contributions(two, b) - replays.contributions(one, b)
                own = total(gap)
                yield budget, two, one, own.value, own.low, own.high, float("nan")


def warnings_of(table: pd.DataFrame) -> tuple[Message, ...]:
    """Return one line per strategy and budget whose overlap is thin."""
    thin = table[table["overlap_warning"].notna()]
    lines = zip(thin["strategy"], thin["budget"], thin["overlap_warning"], strict=True)
    return tuple(
        say("overlap.care", strategy=strategy, budget=budget, what=what)
        for strategy, budget, what in lines
    )
