"""A comparison of strategies as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from incentive_engine.language import (
    DASH,
    Code,
    Language,
    Message,
    Text,
    language,
    say,
)
from incentive_engine.language.terminal_text import aligned
from incentive_engine.language.wording import as_warnings
from incentive_engine.report.pages.comparison import verdicts
from incentive_engine.report.pages.series import payback_sentences
from incentive_engine.simulation.comparison import StrategyComparison


def simulation_summary(comparison: StrategyComparison, out: Path, lang: Code = "en") -> str:
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
    if comparison.scenario.series is not None:
        lines.append(t("series.sub", campaigns=comparison.scenario.series.campaigns))
    columns = ("strategy", "conversions", "interval", "cost", "per_1000", "gain")
    for budget in comparison.scenario.budgets:
        lines += ["", t("simulate.budget", budget=budget, currency=comparison.currency)]
        table = comparison.table[comparison.table["budget"] == budget]
        table = table.sort_values("conversions", ascending=False, kind="stable")
        rows: list[tuple[Text, ...]] = [tuple(say(f"simulate.{name}") for name in columns)]
        rows += [_row(t, row) for row in table.to_dict(orient="records")]
        lines += aligned(t, rows)
    lines += ["", *payback_sentences(t, comparison), *verdicts(comparison, lang=lang)]
    lines += map(t.say, _promises(comparison))
    lines += map(t.say, as_warnings(comparison.notes))
    return "\n".join([*lines, "", f"{out}/comparison.html"])


def _row(t: Language, row: Mapping[Any, Any]) -> tuple[Text, ...]:
    low, high = row["conversions_low"], row["conversions_high"]
    span = say("simulate.span", low=t.number(low), high=t.number(high))
    return (
        str(row["strategy"]),
        t.number(row["conversions"]),
        DASH if pd.isna(low) else span,
        t.money(row["cost"]),
        t.number(row["conversions_per_1000"], 2),
        t.number(row["gain_vs_baseline"]),
    )


def _promises(comparison: StrategyComparison) -> Iterator[Message]:
    for row in comparison.promises.to_dict(orient="records"):
        yield say(
            "simulate.promise",
            strategy=row["strategy"],
            budget=row["budget"],
            promise=row["promise"],
            promised=language("en").percent(row["promised"]),
            kept=language("en").percent(row["kept"]),
        )
