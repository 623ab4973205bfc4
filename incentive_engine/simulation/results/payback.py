"""From draws of a series to one row per campaign, and to when exploring has paid for itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from incentive_engine.config.scenario import EXPLORING, Strategy
from incentive_engine.domain import FloatArray
from incentive_engine.simulation.figures import LEARNED
from incentive_engine.simulation.results.table import Draws
from incentive_engine.simulation.strategy.traits import oracles
from incentive_engine.stats.draws import Interval, mean_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Payback:
    """When what exploring has brought is more than what it cost.

    Attributes
    ----------
    budget
        Of each campaign.
    campaigns
        How many there are.
    average
        From which campaign on the sum of all leads is above 0, on average over draws; None: not
        by the last one.
    certain
        From which the whole 95 % interval is; None: not by the last one.
    lead, cost
        Conversions, in the whole series: ahead of the baseline; given up by exploring.
    """

    budget: float
    campaigns: int
    average: int | None
    certain: int | None
    lead: Interval
    cost: Interval

    @property
    def kind(self) -> Literal["certain", "average", "never"]:
        """How sure it is that exploring pays for itself within the series."""
        if self.certain is not None:
            return "certain"
        return "never" if self.average is None else "average"


def campaign_table(draws: Draws) -> pd.DataFrame:
    """Return one row per strategy, budget and campaign; conversions are true expectations."""
    return pd.DataFrame(list(_rows(draws)))


def paybacks(draws: Draws) -> tuple[Payback, ...]:
    """Return per budget when exploring has paid for itself; nothing where no way explores."""
    if EXPLORING not in draws.scenario.strategies or draws.scenario.baseline == EXPLORING:
        return ()
    return tuple(_payback(draws, b) for b in range(len(draws.scenario.budgets)))


def _payback(draws: Draws, b: int) -> Payback:
    lead = _by_campaign(draws, "true_conversions", EXPLORING, b)
    lead = np.cumsum(lead - _by_campaign(draws, "true_conversions", draws.scenario.baseline, b), 1)
    so_far = [mean_interval(lead[:, place]) for place in range(draws.campaigns)]
    return Payback(
        budget=draws.scenario.budgets[b],
        campaigns=draws.campaigns,
        average=_from(np.array([each.value for each in so_far])),
        certain=_from(np.array([each.low for each in so_far])),
        lead=so_far[-1],
        cost=mean_interval(_by_campaign(draws, "exploring_cost", EXPLORING, b).sum(axis=1)),
    )


def _from(values: FloatArray) -> int | None:
    """Return from which campaign on, counted from 1, all values are above 0.

    >>> _from(np.array([1.0, -1.0, 2.0, 3.0]))
    3
    """
    not_yet = np.flatnonzero(~(values > 0))
    first = int(not_yet[-1]) + 1 if len(not_yet) else 0
    return first + 1 if first < len(values) else None


def _by_campaign(draws: Draws, name: str, strategy: Strategy, b: int) -> FloatArray:
    """Return (draws, campaigns) float64."""
    return draws.each(name, strategy, b).reshape(-1, draws.campaigns)


def _rows(draws: Draws) -> Iterator[dict[str, object]]:
    scenario = draws.scenario
    oracle = next((name for name in oracles() if name in scenario.strategies), None)
    for b, budget in enumerate(scenario.budgets):
        before = _by_campaign(draws, "true_conversions", scenario.baseline, b)
        best = None if oracle is None else _by_campaign(draws, "true_conversions", oracle, b)
        for strategy in scenario.strategies:
            gain = _by_campaign(draws, "true_conversions", strategy, b)
            regret = np.full(gain.shape, np.nan) if best is None else best - gain
            measures = {
                "conversions": gain,
                "lead": gain - before,
                "lead_so_far": np.cumsum(gain - before, axis=1),
                "regret": regret,
                "exploring_cost": _by_campaign(draws, "exploring_cost", strategy, b),
            }
            others = {
                name: _by_campaign(draws, name, strategy, b)
                for name in ("cost", *LEARNED)
                if name not in measures
            }
            for campaign in range(draws.campaigns):
                row: dict[str, object] = {
                    "strategy": strategy, "budget": budget, "campaign": campaign + 1,
                }  # fmt: skip
                for name, values in measures.items():
                    low_high = mean_interval(values[:, campaign])
                    row |= {
                        name: low_high.value,
                        f"{name}_low": low_high.low,
                        f"{name}_high": low_high.high,
                    }
                row |= {name: float(values[:, campaign].mean()) for name, values in others.items()}
                yield row
