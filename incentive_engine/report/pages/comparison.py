"""The comparison of strategies as one HTML file that opens offline."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd
from markupsafe import Markup

from incentive_engine.config.scenario import Strategy
from incentive_engine.language import Code, Language, language
from incentive_engine.report import words
from incentive_engine.report.content import StatedObjective
from incentive_engine.report.figures.charts import Axis, Chart, Size, figure
from incentive_engine.report.figures.lines import lines_of
from incentive_engine.report.frame import render_page
from incentive_engine.report.pages.series import courses, payback_sentences
from incentive_engine.simulation.comparison import StrategyComparison
from incentive_engine.simulation.strategy.traits import TRAITS, engines

Row = Mapping[Hashable, Any]


def render_comparison(comparison: StrategyComparison, *, lang: Code = "en") -> str:
    """Return the page as HTML: no file, script or font from elsewhere."""
    t = language(lang)
    scenario = comparison.scenario
    sweep = scenario.sweep
    return render_page(
        "comparison.html.j2",
        lang=lang,
        comparison=comparison,
        currency=t.unit(comparison.currency),
        scenario=scenario,
        budgets=[
            (budget, _rows(comparison.table[comparison.table["budget"] == budget]))
            for budget in scenario.budgets
        ],
        has_truth=scenario.source == "world",
        has_efficiency=bool(comparison.table["efficiency_gain"].notna().any()),
        aim=words.aim(t, StatedObjective.of(comparison.objective)),
        headline=_headline(t, comparison),
        picture=_picture(t, comparison),
        weighted=_measure(comparison) == "value",
        verdicts=list(verdicts(comparison, lang=lang)),
        campaigns=scenario.series.campaigns if scenario.series else 1,
        paybacks=payback_sentences(t, comparison),
        courses=courses(t, comparison),
        charts=list(_charts(t, comparison)),
        pairs=_rows(_engine_pairs(comparison.pairs)),
        promises=_rows(comparison.promises),
        waves=[] if comparison.waves is None else _rows(comparison.waves),
        sweep=[] if comparison.sweep is None else _rows(comparison.sweep),
        sweep_label=(sweep.label or sweep.setting) if sweep else "",
        group=t.listed(tuple(_group_values(t, comparison))),
        known=known,
    )


def _measure(comparison: StrategyComparison) -> str:
    """Return the column in which all strategies are compared: the policy's aim where it is known.

    A trial is valued in conversions alone.
    """
    return "value" if "value" in comparison.table else "conversions"


def _in_words(t: Language, comparison: StrategyComparison) -> str:
    """Return what that column is called."""
    if _measure(comparison) != "value":
        return t("measure.conversion")
    return words.aim(t, StatedObjective.of(comparison.objective))


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonHeadline:
    """What the engine brings, in a sentence; it stands out as what may be chance, or may not."""

    sentence: str
    kind: Literal["run", "doubt"] = "run"


def _headline(t: Language, comparison: StrategyComparison) -> ComparisonHeadline | None:
    """Return in a sentence what the engine brings beside the former way, at the middle budget.

    The former way is the baseline; where that is not among the strategies, the best of the others
    that one can use.
    """
    scenario, measure = comparison.scenario, _measure(comparison)
    budget = scenario.budgets[len(scenario.budgets) // 2]
    at_budget = comparison.table[comparison.table["budget"] == budget]
    rows: dict[Strategy, Row] = {row["strategy"]: row for row in _rows(at_budget)}
    name = next((name for name in engines() if name in rows), None)
    if name is None or scenario.baseline == name:
        return None
    others = {
        way: row[measure]
        for way, row in rows.items()
        if not (TRAITS[way].is_engine or TRAITS[way].is_mark)
    }
    is_former = scenario.baseline in rows
    if not is_former and not others:
        return None
    former = scenario.baseline if is_former else max(others, key=lambda way: others[way])
    mine, before = rows[name], rows[former]
    values = {
        "budget": t.brief(budget),
        "currency": t.unit(comparison.currency),
        "aim": _in_words(t, comparison),
        "mine": t.number(mine[measure]),
        "before": t.number(before[measure]),
        "baseline": former,
    }
    kind: Literal["run", "doubt"] = "run"
    if not is_former:
        sentence = t("compare.headline_best", **values)
    else:
        gain = "value_gain" if measure == "value" else "gain_share"
        values["more"] = _signed(t, float(mine[gain]))
        sentence = t("compare.headline", **values)
        if measure == "value" and known(mine["value_gain_low"]):
            low, high = (_signed(t, float(mine[f"value_gain_{end}"])) for end in ("low", "high"))
            sentence = t("compare.headline_interval", low=low, high=high, **values)
            if mine["value_gain_low"] <= 0 <= mine["value_gain_high"]:
                kind, sentence = "doubt", sentence + t("compare.headline_unclear")
    if measure == "value" and known(mine["share_of_oracle"]):
        sentence += t("compare.headline_oracle", share=t.percent(mine["share_of_oracle"], 0))
    return ComparisonHeadline(sentence=sentence, kind=kind)


def _picture(t: Language, comparison: StrategyComparison) -> Markup:
    """Return what every strategy brings, in one measure, with what each of them does."""
    scenario, measure = comparison.scenario, _measure(comparison)
    several = len(scenario.budgets) > 1
    currency = t.unit(comparison.currency)
    table = comparison.table
    names: tuple[str, ...] = ()
    if not several:
        names = tuple(dict.fromkeys(table["strategy"]))
        table = table.assign(place=table["strategy"].map(names.index))
    lines = lines_of(table, "budget" if several else "place", measure)
    title = t("chart.budget", currency=currency) if several else t("compare.strategy")
    chart = Chart(
        caption=t("compare.picture", aim=_in_words(t, comparison)),
        x=Axis(title=title, names=names),
        y=Axis(title=_in_words(t, comparison)),
        series=tuple(
            replace(line, note=t(f"strategy.{line.label}"), line=several) for line in lines
        ),
        size=Size(width=760, height=360, left=46, right=14, top=26, bottom=42),
    )
    return figure(t, chart)


def verdicts(comparison: StrategyComparison, *, lang: Code = "en") -> Iterator[str]:
    """Yield in words how the engine's efficiency compares with the baseline's, per budget."""
    t = language(lang)
    table, base = comparison.table, comparison.scenario.baseline
    for name in engines():
        for row in _rows(table[table["strategy"] == name]):
            better, low, high = (
                float(row[f"efficiency_gain{end}"]) for end in ("", "_low", "_high")
            )
            if base == name or math.isnan(better):
                continue
            yield t(
                "compare.better",
                strategy=name,
                budget=t.money(row["budget"]),
                more=_signed(t, better),
                baseline=base,
                judgement=_judgement(t, low, high),
            )


def _judgement(t: Language, low: float, high: float) -> str:
    """Return an interval and where it lies beside the published figure; empty without one."""
    if math.isnan(low):
        return ""
    # what Tmall published for Double 11, 2025: coupon conversion against the former method
    published = 0.15
    where = "above" if low > published else "below" if high < published else "level"
    return t(
        "compare.interval",
        low=_signed(t, low),
        high=_signed(t, high),
        verdict=t(f"compare.{where}"),
    )


def known(value: object) -> bool:
    """Return whether there is a number."""
    return isinstance(value, int | float) and math.isfinite(value)


def _signed(t: Language, share: float) -> str:
    text = t.percent(share)
    return text if share < 0 else f"+{text}"


def _rows(frame: pd.DataFrame) -> list[dict[Hashable, Any]]:
    return frame.to_dict(orient="records")


def _engine_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs with an engine strategy, the engine first."""
    mine = pairs[pairs["strategy"].isin(engines()) | pairs["against"].isin(engines())].copy()
    turned = ~mine["strategy"].isin(engines())
    swapped = mine[turned]
    mine.loc[turned, ["strategy", "against"]] = swapped[["against", "strategy"]].to_numpy()
    mine.loc[turned, ["low", "high"]] = -swapped[["high", "low"]].to_numpy()
    mine.loc[turned, "difference"] *= -1
    mine.loc[turned, "wins"] = 1 - swapped["wins"]
    return mine


def _group_values(t: Language, comparison: StrategyComparison) -> Iterator[str]:
    for condition in comparison.scenario.favoured.values():
        values = condition if isinstance(condition, tuple) else (t("compare.favoured"),)
        yield from map(str, values)


def _charts(t: Language, comparison: StrategyComparison) -> Iterator[Markup]:
    scenario, currency = comparison.scenario, t.unit(comparison.currency)
    budget_axis = Axis(title=t("chart.budget", currency=currency))
    if len(scenario.budgets) > 1:
        by_budget = (("conversions", "conversions"), ("efficiency", "conversions_per_1000"))
        for name, column in by_budget:
            chart = Chart(
                caption=t(f"compare.{name}_plot", currency=currency),
                x=budget_axis,
                y=Axis(title=t(f"compare.{name}_axis", currency=currency)),
                series=tuple(lines_of(comparison.table, "budget", column)),
            )
            yield figure(t, chart)
    if comparison.sweep is not None and scenario.sweep is not None:
        label = scenario.sweep.label or scenario.sweep.setting
        budget = scenario.budgets[-1]
        largest = comparison.sweep[comparison.sweep["budget"] == budget]
        swept = ("conversions", "favoured_share_of_cost", "overspend_probability")
        for column in swept:
            if column in largest and largest[column].notna().any():
                caption = t(f"compare.swept_{column}", label=label, budget=t.money(budget))
                title = t(f"compare.{column}_axis")
                yield figure(t, _swept(largest, column, caption=caption, label=label, title=title))


def _swept(table: pd.DataFrame, column: str, *, caption: str, label: str, title: str) -> Chart:
    """Return a chart over a setting: on a scale of numbers, or with a place for each value."""
    values = list(dict.fromkeys(table["setting_value"]))
    numeric = all(isinstance(value, int | float) for value in values)
    wide = numeric and min(values) > 0 and max(values) / min(values) > 50
    names: tuple[str, ...] = ()
    places = table["setting_value"]
    if wide or not numeric:
        names = tuple(f"{value:g}" if numeric else str(value) for value in values)
        places = places.map(values.index)
    return Chart(
        caption=caption,
        x=Axis(title=label, names=names),
        y=Axis(title=title),
        series=tuple(lines_of(table.assign(place=places), "place", column)),
    )
