"""Replay a campaign under several strategies and budgets, and compare them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd

from incentive_engine.config import Policy, load_policy
from incentive_engine.config.policy import Scalar
from incentive_engine.config.scenario import Scenario, World, load_scenario
from incentive_engine.data.step_cache import StepCache
from incentive_engine.data.tables.files import atomic_directory
from incentive_engine.data.trial import Trial
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.language import Code, Message, Text, aligned, as_warnings, language, say
from incentive_engine.language.formats import DASH, money, number, percent
from incentive_engine.pipeline.campaign import campaign_files, trial_of
from incentive_engine.pipeline.steps import Progress, Steps, quiet
from incentive_engine.report.comparison import render_comparison, verdicts
from incentive_engine.run.directory import refuse_existing
from incentive_engine.simulation.comparison import Comparison, compare_replays, compare_worlds
from incentive_engine.simulation.draw import blocks_of, run_block
from incentive_engine.simulation.replay import run_replay
from incentive_engine.simulation.runner import default_workers, run_tasks
from incentive_engine.simulation.shared_draws import Variant
from incentive_engine.simulation.world import check_offers

POLICY = "policy."
"""What a swept setting begins with when it is one of the policy."""


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
        draws.csv, waves.csv and sweep.csv; beside them a copy of the scenario.
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
    comparison = _compare(variants, workers=workers or default_workers(), progress=progress)
    _write(comparison, out, scenario_file, lang)
    text = summary(comparison, out, lang)
    if comparison.interrupted:
        raise SimulationStopped(text)
    return text


def read_variants(scenario_file: Path, *, set_values: Sequence[str] = ()) -> tuple[Variant, ...]:
    """Return the scenario as written and one variant per value of its sweep, all checked.

    Parameters
    ----------
    scenario_file
        The YAML file.
    set_values
        Changes of it, as ``KEY=VALUE``.

    Raises
    ------
    ConfigError
        With every problem.
    """
    scenario = load_scenario(scenario_file, set_values=set_values)
    swept = scenario.sweep.values if scenario.sweep else ()  # noqa: PD011 - a field of the sweep
    variants: list[Variant] = []
    faults: list[Fault] = []
    for value in (None, *swept):
        try:
            variants.append(_variant(scenario_file, scenario, value=value, set_values=set_values))
        except ConfigError as error:
            faults.extend(error.faults)
    if faults:
        raise ConfigError(*dict.fromkeys(faults))
    return tuple(variants)


def check_scenario(scenario_file: Path) -> Message:
    """Return that a scenario, its policy and every value of its sweep have no fault."""
    variants = read_variants(scenario_file)
    scenario = variants[0].scenario
    runs = len(scenario.strategies) * len(scenario.budgets) * scenario.draws * len(variants)
    return say(
        "checked.no_fault",
        file=str(scenario_file),
        name=scenario.name,
        plans=runs,
        draws=scenario.draws,
    )


def _variant(
    file: Path, scenario: Scenario, *, value: Scalar | None, set_values: Sequence[str]
) -> Variant:
    settings = list(scenario.policy_settings)
    if value is not None and scenario.sweep is not None:
        setting = scenario.sweep.setting
        if setting.startswith(POLICY):
            settings.append(f"{setting.removeprefix(POLICY)}={value}")
        else:
            scenario = load_scenario(file, set_values=[*set_values, f"{setting}={value}"])
    in_world = scenario.source == "world"
    policy = load_policy(scenario.policy, set_values=settings, require_data=not in_world)
    policy = policy.with_budget(amount=scenario.budgets[-1])
    if in_world:
        check_offers(policy, scenario.world or World(), where=scenario.locate(("policy",)))
    return Variant(scenario=scenario, policy=policy, value=value)


def _compare(variants: tuple[Variant, ...], *, workers: int, progress: Progress) -> Comparison:
    scenario = variants[0].scenario
    if scenario.source == "world":
        sizes = [len(block) for block in blocks_of(scenario)]
        found = _run(partial(run_block, variants), sizes, workers=workers, progress=progress)
        return compare_worlds(variants, found, wanted=scenario.draws)
    work = partial(run_replay, variants, _trial(variants[0].policy))
    found = _run(work, [1] * scenario.draws, workers=workers, progress=progress)
    return compare_replays(variants, found, wanted=scenario.draws)


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
        found = run_tasks(
            work, len(sizes), workers=workers, finished=lambda number: advance(sizes[number])
        )
    return dict(sorted(pair for block in found.results.values() for pair in block.items()))


def _write(comparison: Comparison, out: Path, scenario_file: Path, lang: Code) -> None:
    tables: Mapping[str, pd.DataFrame | None] = {
        "comparison": comparison.table,
        "pairs": comparison.pairs,
        "promises": comparison.promises,
        "draws": comparison.draws,
        "waves": comparison.waves,
        "sweep": comparison.sweep,
    }
    with atomic_directory(out) as directory:
        for name, table in tables.items():
            if table is not None and len(table):
                table.to_csv(directory / f"{name}.csv", index=False, lineterminator="\n")
        page = directory / "comparison.html"
        page.write_text(render_comparison(comparison, lang=lang), encoding="utf-8")
        shutil.copyfile(scenario_file, directory / "scenario.yaml")


def summary(comparison: Comparison, out: Path, lang: Code = "en") -> str:
    """Return the comparison as text, the strategies of each budget by falling conversions."""
    t, name = language(lang), comparison.scenario.name
    head = t("simulate.head", name=name, draws=comparison.finished)
    if comparison.interrupted:
        head = t(
            "simulate.head_stopped",
            name=name,
            draws=comparison.finished,
            wanted=comparison.wanted,
        )
    lines = [head]
    for budget in comparison.scenario.budgets:
        lines += ["", t("simulate.budget", budget=budget, currency=comparison.currency)]
        table = comparison.table[comparison.table["budget"] == budget]
        table = table.sort_values("conversions", ascending=False, kind="stable")
        rows: list[tuple[Text, ...]] = [tuple(say(f"simulate.{name}") for name in COLUMNS)]
        rows += [_row(row) for row in table.to_dict(orient="records")]
        lines += aligned(t, rows)
    lines += ["", *verdicts(comparison, lang=lang)]
    lines += map(t.say, _promises(comparison))
    lines += map(t.say, as_warnings(comparison.notes))
    return "\n".join([*lines, "", f"{out}/comparison.html"])


COLUMNS: Final = ("strategy", "conversions", "interval", "cost", "per_1000", "gain")


def _row(row: Mapping[Any, Any]) -> tuple[Text, ...]:
    low, high = row["conversions_low"], row["conversions_high"]
    span = say("simulate.span", low=number(low), high=number(high))
    return (
        str(row["strategy"]),
        number(row["conversions"]),
        DASH if pd.isna(low) else span,
        money(row["cost"]),
        number(row["conversions_per_1000"], 2),
        number(row["gain_vs_baseline"]),
    )


def _promises(comparison: Comparison) -> Iterator[Message]:
    for row in comparison.promises.to_dict(orient="records"):
        yield say(
            "simulate.promise",
            strategy=row["strategy"],
            budget=row["budget"],
            promise=row["promise"],
            promised=percent(row["promised"]),
            kept=percent(row["kept"]),
        )
