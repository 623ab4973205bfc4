"""The comparison of strategies as one HTML file that opens offline."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from incentive_engine.simulation.comparison import Comparison

from . import formats
from .comparison_plots import Line, draw_lines
from .frame import render_page

PUBLISHED: Final = 0.15
"""What Tmall published for Double 11, 2025: coupon conversion against the former method."""
STRATEGIES: Final[Mapping[str, str]] = {
    "nobody": "no offers at all",
    "everyone": "the best single offer to all who come, until the money is gone",
    "first-come": "the most valuable coupon to each who comes, until the money is gone",
    "tier-rules": "the deeper coupon for the better customer by recency, frequency and spend",
    "propensity": "the best single offer to those most likely to convert",
    "greedy": "users by forecast gain per money, until it is gone",
    "engine": "this engine, as the policy says",
    "engine-unweighted": "this engine, every user's outcome counting alike",
    "oracle": "the policy solved with the true effects: what nobody can know",
    "oracle-unweighted": "the same, every user's outcome counting alike",
}

Row = Mapping[Hashable, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One plot with what stands above it."""

    caption: str
    svg: Markup


def render_comparison(comparison: Comparison) -> str:
    """Return the page as HTML: no file, script or font from elsewhere."""
    scenario = comparison.scenario
    sweep = scenario.sweep
    return render_page(
        "comparison.html.j2",
        comparison=comparison,
        scenario=scenario,
        budgets=[
            (budget, _rows(comparison.table[comparison.table["budget"] == budget]))
            for budget in scenario.budgets
        ],
        has_truth=scenario.source == "world",
        verdicts=list(verdicts(comparison)),
        charts=list(_charts(comparison)),
        pairs=_rows(_engine_pairs(comparison.pairs)),
        promises=_rows(comparison.promises),
        waves=[] if comparison.waves is None else _rows(comparison.waves),
        sweep=[] if comparison.sweep is None else _rows(comparison.sweep),
        sweep_label=(sweep.label or sweep.setting) if sweep else "",
        meanings=[(name, STRATEGIES[name]) for name in scenario.strategies],
        group=", ".join(str(value) for value in _group_values(comparison)),
        known=known,
    )


def verdicts(comparison: Comparison) -> Iterator[str]:
    """Yield in words how the engine's efficiency compares with the baseline's, per budget."""
    table, base = comparison.table, comparison.scenario.baseline
    for name in ("engine", "engine-unweighted"):
        for row in _rows(table[table["strategy"] == name]):
            better, low, high = (
                float(row[f"efficiency_gain{end}"]) for end in ("", "_low", "_high")
            )
            if base == name or math.isnan(better):
                continue
            words = f"{name} at {formats.money(row['budget'])}: {_signed(better)} conversions per "
            words += f"money against {base}"
            if math.isnan(low):
                yield f"{words}."
                continue
            words += f" (95 % interval {_signed(low)} to {_signed(high)})"
            if low > PUBLISHED:
                yield f"{words}: above the published +15 %."
            elif high < PUBLISHED:
                yield f"{words}: below the published +15 %."
            else:
                yield f"{words}: not distinguishable from the published +15 %."


def known(value: object) -> bool:
    """Return whether there is a number."""
    return isinstance(value, int | float) and math.isfinite(value)


def _signed(share: float) -> str:
    text = formats.percent(share)
    return text if share < 0 else f"+{text}"


def _rows(frame: pd.DataFrame) -> list[dict[Hashable, Any]]:
    return frame.to_dict(orient="records")


def _engine_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs with an engine strategy, the engine first."""
    engines = ("engine", "engine-unweighted")
    mine = pairs[pairs["strategy"].isin(engines) | pairs["against"].isin(engines)].copy()
    turned = ~mine["strategy"].isin(engines)
    swapped = mine[turned]
    mine.loc[turned, ["strategy", "against"]] = swapped[["against", "strategy"]].to_numpy()
    mine.loc[turned, ["low", "high"]] = -swapped[["high", "low"]].to_numpy()
    mine.loc[turned, "difference"] *= -1
    mine.loc[turned, "wins"] = 1 - swapped["wins"]
    return mine


def _group_values(comparison: Comparison) -> list[object]:
    return [
        value
        for condition in comparison.scenario.favoured.values()
        for value in (condition if isinstance(condition, tuple) else ("favoured",))
    ]


def _charts(comparison: Comparison) -> Iterator[Chart]:
    scenario = comparison.scenario
    if len(scenario.budgets) > 1:
        yield _chart(
            "Conversions added, by budget, with 95 % intervals",
            _lines(comparison.table, "budget", "conversions", interval=True),
            name="conversions",
        )
        yield _chart(
            f"Conversions per 1,000 {comparison.currency}, by budget",
            _lines(comparison.table, "budget", "conversions_per_1000", interval=False),
            name="efficiency",
        )
    if comparison.sweep is not None and scenario.sweep is not None:
        label = scenario.sweep.label or scenario.sweep.setting
        largest = comparison.sweep[comparison.sweep["budget"] == scenario.budgets[-1]]
        for measure, words in SWEPT.items():
            if measure in largest and largest[measure].notna().any():
                yield _sweep_chart(
                    f"{words}, by {label}, budget {formats.money(scenario.budgets[-1])}",
                    largest,
                    measure,
                )


SWEPT: Final = {
    "conversions": "Conversions added",
    "favoured_share_of_cost": "Share of the money that goes to the favoured group",
    "overspend_probability": "Probability of overspending",
}


def _sweep_chart(caption: str, table: pd.DataFrame, measure: str) -> Chart:
    values = list(dict.fromkeys(table["setting_value"]))
    numeric = all(isinstance(value, int | float) for value in values)
    spread = numeric and min(values) > 0 and max(values) / min(values) > 50
    on_scale = numeric and not spread
    frame = table.assign(
        at=table["setting_value"] if on_scale else table["setting_value"].map(values.index)
    )
    lines = _lines(frame, "at", measure, interval=measure == "conversions")
    ticks = None if on_scale else [f"{v:g}" if numeric else str(v) for v in values]
    return _chart(caption, lines, name=f"sweep-{measure}", ticks=ticks)


def _chart(
    caption: str, lines: Sequence[Line], *, name: str, ticks: Sequence[str] | None = None
) -> Chart:
    svg = Markup(draw_lines(lines, name=name, ticks=ticks))  # noqa: S704 - our own drawing
    return Chart(caption=caption, svg=svg)


def _lines(table: pd.DataFrame, x: str, y: str, *, interval: bool) -> list[Line]:
    lines = []
    for strategy in dict.fromkeys(table["strategy"]):
        mine = table[table["strategy"] == strategy]
        if not mine[y].notna().any():
            continue
        band = interval and mine[f"{y}_low"].notna().all()
        lines.append(
            Line(
                strategy=str(strategy),
                x=mine[x].tolist(),
                y=mine[y].tolist(),
                low=mine[f"{y}_low"].tolist() if band else None,
                high=mine[f"{y}_high"].tolist() if band else None,
            )
        )
    return lines
