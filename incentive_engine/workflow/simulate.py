"""Replay a campaign under several strategies and budgets, and compare them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from incentive_engine.config.policy import Policy
from incentive_engine.cores import usable_cores
from incentive_engine.data.step_cache import StepCache
from incentive_engine.data.tables.files import atomic_directory
from incentive_engine.data.trials.trial import Trial
from incentive_engine.insight.pages.simulation_summary import simulation_summary
from incentive_engine.language import Code
from incentive_engine.pipeline.campaign_tables import campaign_files, trial_of
from incentive_engine.pipeline.steps import Progress, Steps, quiet
from incentive_engine.report.pages.comparison import render_comparison
from incentive_engine.run.directory import refuse_existing
from incentive_engine.simulation.comparison import (
    StrategyComparison,
    compare_replays,
    compare_worlds,
)
from incentive_engine.simulation.draw import blocks_of, run_block
from incentive_engine.simulation.replay import run_replay
from incentive_engine.simulation.runner import run_tasks
from incentive_engine.simulation.variants import SweepVariant, read_variants


class SimulationStopped(KeyboardInterrupt):
    """Somebody stopped; the finished draws are compared and written all the same."""


def simulate(
    scenario_file: Path,
    *,
    out: Path,
    workers: int | None = None,
    set_values: Sequence[str] = (),
    lang: Code = "en",
    progress: Progress = quiet,
) -> str:
    """Replay a scenario and write the comparison into a new directory.

    Parameters
    ----------
    scenario_file
        The YAML file.
    out
        Gets comparison.csv, comparison.html, pairs.csv and, where they apply, promises.csv,
        draws.csv, waves.csv, campaigns.csv and sweep.csv; beside them a copy of the scenario.
    workers
        How many processes; left out, one per processor. The figures do not depend on it.
    set_values
        Changes of the scenario, such as ``draws=5``.
    lang
        The language of the page.
    progress
        Who is told of the draws as they end.

    Returns
    -------
    The comparison as text.

    Raises
    ------
    ConfigError, DataError
        With every problem of the scenario, its policy or its data.
    InfeasibleError
        When the policy's limits cannot all hold.
    SimulationStopped
        After Ctrl-C, with the comparison of the finished draws as its text; the directory is
        written. Plain KeyboardInterrupt when none was finished.
    """
    variants = read_variants(scenario_file, set_values=set_values)
    refuse_existing(out)
    comparison = _compare(variants, workers=workers or usable_cores(), progress=progress)
    _write(comparison, out, scenario_file, lang)
    text = simulation_summary(comparison, out, lang)
    if comparison.interrupted:
        raise SimulationStopped(text)
    return text


def _compare(
    variants: tuple[SweepVariant, ...], *, workers: int, progress: Progress
) -> StrategyComparison:
    scenario = variants[0].scenario
    if scenario.source == "world":
        sizes = [len(block) for block in blocks_of(scenario)]
        results = _run(partial(run_block, variants), sizes, workers=workers, progress=progress)
        return compare_worlds(variants, results, wanted=scenario.draws)
    work = partial(run_replay, variants, _trial(variants[0].policy))
    results = _run(work, [1] * scenario.draws, workers=workers, progress=progress)
    return compare_replays(variants, results, wanted=scenario.draws)


def _trial(policy: Policy) -> Trial:
    """Return the policy's trial, which is sent to other processes."""
    return trial_of(campaign_files(policy, cache=StepCache(), steps=Steps()), policy)


def _run(
    work: Callable[[int], dict[int, Any]],
    sizes: Sequence[int],
    *,
    workers: int,
    progress: Progress,
) -> dict[int, Any]:
    """Return draw to result, for the tasks that finished; `sizes` are their numbers of draws."""
    with progress("draws", sum(sizes)) as advance:
        tasks = run_tasks(
            work, len(sizes), workers=workers, finished=lambda number: advance(sizes[number])
        )
    return dict(sorted(pair for block in tasks.results.values() for pair in block.items()))


def _write(comparison: StrategyComparison, out: Path, scenario_file: Path, lang: Code) -> None:
    tables: Mapping[str, pd.DataFrame | None] = {
        "comparison": comparison.table,
        "pairs": comparison.pairs,
        "promises": comparison.promises,
        "draws": comparison.draws,
        "waves": comparison.waves,
        "campaigns": comparison.campaigns,
        "sweep": comparison.sweep,
    }
    with atomic_directory(out) as directory:
        for name, table in tables.items():
            if table is not None and len(table):
                table.to_csv(directory / f"{name}.csv", index=False, lineterminator="\n")
        page = directory / "comparison.html"
        page.write_text(render_comparison(comparison, lang=lang), encoding="utf-8")
        shutil.copyfile(scenario_file, directory / "scenario.yaml")
