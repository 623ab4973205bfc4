"""What a planner sees after `whatif`."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from incentive_engine.language import DASH, Code, Message, Text, language
from incentive_engine.language.terminal_text import aligned
from incentive_engine.language.wording import as_warnings, named


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """What a planner sees after `whatif`.

    Attributes
    ----------
    points, moves, limits, safety
        The tables that stand in the directory, as CSV files of these names.
    notes
        What a planner should know.
    """

    directory: Path
    currency: str
    points: pd.DataFrame
    moves: pd.DataFrame
    limits: pd.DataFrame
    safety: pd.DataFrame
    notes: tuple[Message, ...]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by the names of their files."""
        return {
            "whatif": self.points,
            "moves": self.moves,
            "limits": self.limits,
            "safety": self.safety,
        }

    def to_json(self) -> str:
        """Return the tables for programs."""
        tables = {"points": self.points, "moves": self.moves, "limits": self.limits}
        content: dict[str, Any] = {
            "directory": str(self.directory),
            "notes": [str(note) for note in self.notes],
        }
        for name, table in {**tables, "safety": self.safety}.items():
            content[name] = [_plain(row) for row in table.to_dict(orient="records")]
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)

    def to_text(self, lang: Code = "en") -> str:
        """Return the points for people."""
        t = language(lang)
        columns = (
            "variant", "budget", "value", "conversions", "spend", "cost", "treated", "roi",
            "marginal_return", "price",
        )  # fmt: skip
        shown = [name for name in columns if name in self.points]
        rows: list[tuple[Text, ...]] = [tuple(named("point", name) for name in shown)]
        rows += [
            tuple(_figure(value) for value in row)
            for row in self.points[shown].itertuples(index=False)
        ]
        lines = [*aligned(t, rows)]
        lines += [
            t("terminal.variant", variant=row.variant, budget=row.budget, conflict=row.conflict)
            for row in self.points[~self.points["feasible"]].itertuples()
        ]
        lines += [t.say(note) for note in as_warnings(self.notes)]
        lines.append(t("terminal.page", out=str(self.directory / "whatif.html")))
        lines.append(t("terminal.tables", out=str(self.directory / "whatif.csv")))
        return "\n".join(lines)


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """Return a row with null where there is no number."""
    return {
        str(key): None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }


def _figure(value: object) -> str:
    if not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return DASH
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
