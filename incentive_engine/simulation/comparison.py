"""The comparison of a scenario: everything that its files and its page show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from incentive_engine.config.policy import Objective
from incentive_engine.config.scenario import Scenario
from incentive_engine.language import Message
from incentive_engine.simulation.figures import FIGURES, LEARNED, DrawResult, WaveFigures
from incentive_engine.simulation.offpolicy import ReplayResult
from incentive_engine.simulation.results.payback import Payback, campaign_table, paybacks
from incentive_engine.simulation.results.promises import promise_frame, promise_table
from incentive_engine.simulation.results.replay_table import (
    Replays,
    replay_pairs,
    replay_table,
    warnings_of,
)
from incentive_engine.simulation.results.table import Draws, comparison_table, pair_table
from incentive_engine.simulation.variants import SweepVariant


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StrategyComparison:
    """What a scenario showed.

    Attributes
    ----------
    scenario
        What was replayed.
    currency
        The unit of money.
    objective
        What the policy of the scenario maximises.
    table
        One row per strategy and budget: the columns of the contract, then further ones.
    pairs
        Paired differences in conversions per budget.
    promises
        What was promised against what came; empty where nothing was.
    draws
        One row per draw, strategy and budget; empty for a logged trial.
    waves
        One row per strategy, budget and wave; None without a calendar.
    campaigns
        One row per strategy, budget and campaign; None without a series.
    paybacks
        When exploring has paid for itself, per budget; nothing where none of a series explores.
    sweep
        The table once per value of the swept setting; None without a sweep.
    finished, wanted
        How many draws it stands on, and how many there were to be.
    notes
        What to know when reading it.
    """

    scenario: Scenario
    objective: Objective
    currency: str
    table: pd.DataFrame
    pairs: pd.DataFrame
    promises: pd.DataFrame
    draws: pd.DataFrame
    waves: pd.DataFrame | None
    sweep: pd.DataFrame | None
    finished: int
    wanted: int
    campaigns: pd.DataFrame | None = None
    paybacks: tuple[Payback, ...] = ()
    notes: tuple[Message, ...] = ()

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped before all draws were finished."""
        return self.finished < self.wanted


def compare_worlds(
    variants: Sequence[SweepVariant], results: Mapping[int, Sequence[DrawResult]], *, wanted: int
) -> StrategyComparison:
    """Return the comparison of a world's draws.

    Parameters
    ----------
    variants
        The scenario as written, then one per value of the sweep.
    results
        Draw to its results, one per variant.
    wanted
        How many draws there were to be.
    """
    base = variants[0]
    own = {draw: by_draw[0] for draw, by_draw in results.items()}
    draws = Draws.of(base.scenario, own)
    sweeps = []
    for position, variant in enumerate(variants[1:], start=1):
        by_draw = {draw: result[position] for draw, result in results.items()}
        swept = comparison_table(Draws.of(variant.scenario, by_draw))
        swept.insert(0, "setting_value", [variant.value] * len(swept))
        sweeps.append(swept)
    has_waves = base.scenario.calendar is not None
    return StrategyComparison(
        scenario=base.scenario,
        objective=base.policy.objective,
        currency=base.policy.currency,
        table=comparison_table(draws),
        pairs=pair_table(draws),
        promises=promise_table(draws, base.policy),
        draws=_draw_table(base.scenario, own),
        waves=_wave_table(base.scenario, list(own.values())) if has_waves else None,
        sweep=pd.concat(sweeps, ignore_index=True) if sweeps else None,
        finished=len(results),
        wanted=wanted,
        campaigns=campaign_table(draws) if base.scenario.series else None,
        paybacks=paybacks(draws) if base.scenario.series else (),
    )


def compare_replays(
    variants: Sequence[SweepVariant], results: Mapping[int, Sequence[ReplayResult]], *, wanted: int
) -> StrategyComparison:
    """Return the comparison of replays of a logged trial; see `compare_worlds`."""
    base = variants[0]
    replays = [
        Replays.of(variant.scenario, [found[position] for found in results.values()])
        for position, variant in enumerate(variants)
    ]
    table = replay_table(replays[0])
    sweeps = []
    for variant, replayed in zip(variants[1:], replays[1:], strict=True):
        swept = replay_table(replayed)
        swept.insert(0, "setting_value", [variant.value] * len(swept))
        sweeps.append(swept)
    return StrategyComparison(
        scenario=base.scenario,
        objective=base.policy.objective,
        currency=base.policy.currency,
        table=table,
        pairs=replay_pairs(replays[0]),
        promises=promise_frame(),
        draws=pd.DataFrame(),
        waves=None,
        sweep=pd.concat(sweeps, ignore_index=True) if sweeps else None,
        finished=len(results),
        wanted=wanted,
        notes=warnings_of(table),
    )


def _draw_table(scenario: Scenario, results: Mapping[int, DrawResult]) -> pd.DataFrame:
    frames = []
    names = [*FIGURES, *LEARNED] if scenario.series else list(FIGURES)
    for draw, result in results.items():
        for place, campaign in enumerate(result.figures, start=1):
            for s, strategy in enumerate(scenario.strategies):
                frame = pd.DataFrame(campaign[s], columns=names)
                frame.insert(0, "budget", list(scenario.budgets))
                frame.insert(0, "strategy", strategy)
                if scenario.series is not None:
                    frame.insert(0, "campaign", place)
                frame.insert(0, "draw", draw)
                frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _wave_table(scenario: Scenario, results: Sequence[DrawResult]) -> pd.DataFrame:
    """Return the means over draws, and how often and when the pool ran dry."""
    waves = scenario.calendar.waves if scenario.calendar else ()
    rows = []
    for s, strategy in enumerate(scenario.strategies):
        for b, budget in enumerate(scenario.budgets):
            courses = [result.courses[s, b] for result in results]
            dry = np.array([course.dry_after for course in courses])
            for w, wave in enumerate(waves):
                figures = {
                    name: float(np.mean([getattr(course.waves[w], name) for course in courses]))
                    for name in WaveFigures.__dataclass_fields__
                }
                head: dict[str, object] = {
                    "strategy": strategy,
                    "budget": budget,
                    "wave": wave.name,
                }
                ran_dry = {"runs_dry": float(np.isfinite(dry).mean()), "dry_after_hours": np.nan}
                if np.isfinite(dry).any():
                    ran_dry["dry_after_hours"] = float(np.median(dry[np.isfinite(dry)]))
                rows.append({**head, **figures, **ran_dry})
    return pd.DataFrame(rows)
