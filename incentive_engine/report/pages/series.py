"""A series of campaigns on the page of a comparison: curves, the numbers, and the payback."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from incentive_engine.config.scenario import EXPLORING
from incentive_engine.language import Language
from incentive_engine.report.figures.charts import Axis, Chart, Series, figure
from incentive_engine.report.figures.lines import lines_of
from incentive_engine.simulation.comparison import StrategyComparison
from incentive_engine.simulation.results.payback import Payback
from incentive_engine.simulation.strategy.traits import TRAITS, oracles


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignColumn:
    """A column of the table of campaigns: a measure of a strategy."""

    strategy: str
    measure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignCourse:
    """What campaigns brought one after another, with one budget.

    Attributes
    ----------
    columns
        Of the table, after the one of the campaign's number.
    rows
        Per campaign its figures by column; a figure has `value`, `low` and `high`.
    """

    budget: float
    charts: tuple[Markup, ...]
    columns: tuple[CampaignColumn, ...]
    rows: tuple[tuple[dict[str, float], ...], ...]


def payback_sentence(t: Language, payback: Payback, *, currency: str, baseline: str) -> str:
    """Return from which campaign on exploring has paid for itself, or that it has not."""
    return t(
        f"series.pays_{payback.kind}",
        budget=t.money(payback.budget),
        currency=t.unit(currency),
        campaigns=payback.campaigns,
        average=payback.average,
        certain=payback.certain,
        baseline=baseline,
        lead=_signed(t, payback.lead.value),
        low=_signed(t, payback.lead.low),
        high=_signed(t, payback.lead.high),
        cost=t.number(payback.cost.value),
    )


def payback_sentences(t: Language, comparison: StrategyComparison) -> tuple[str, ...]:
    """Return the sentence of each budget."""
    baseline = comparison.scenario.baseline
    return tuple(
        payback_sentence(t, payback, currency=comparison.currency, baseline=baseline)
        for payback in comparison.paybacks
    )


def courses(t: Language, comparison: StrategyComparison) -> tuple[CampaignCourse, ...]:
    """Return the course of the campaigns per budget; nothing without a series."""
    table = comparison.campaigns
    if table is None:
        return ()
    return tuple(
        _course(t, comparison, table[table["budget"] == budget], budget)
        for budget in comparison.scenario.budgets
    )


def _course(
    t: Language, comparison: StrategyComparison, table: pd.DataFrame, budget: float
) -> CampaignCourse:
    columns = tuple(_columns(comparison))
    rows: dict[tuple[Hashable, Hashable], dict[Hashable, Any]] = {
        (row["strategy"], row["campaign"]): row for row in table.to_dict(orient="records")
    }
    campaigns = sorted(set(table["campaign"]))
    return CampaignCourse(
        budget=budget,
        charts=tuple(_charts(t, comparison, table, budget)),
        columns=columns,
        rows=tuple(
            tuple(_figure(rows[column.strategy, campaign], column.measure) for column in columns)
            for campaign in campaigns
        ),
    )


def _figure(row: dict[Hashable, Any], measure: str) -> dict[str, float]:
    names = {"value": measure, "low": f"{measure}_low", "high": f"{measure}_high"}
    return {end: float(row[name]) for end, name in names.items()}


def _columns(comparison: StrategyComparison) -> Iterator[CampaignColumn]:
    """Yield what the table shows: gains, leads, regrets, and what exploring costs."""
    scenario = comparison.scenario
    others = [name for name in scenario.strategies if not TRAITS[name].knows_truth]
    yield from (
        CampaignColumn(strategy=name, measure="conversions") for name in scenario.strategies
    )
    for name in others:
        if name != scenario.baseline:
            yield CampaignColumn(strategy=name, measure="lead_so_far")
    if len(others) < len(scenario.strategies):
        yield from (CampaignColumn(strategy=name, measure="regret") for name in others)
    if EXPLORING in others:
        yield CampaignColumn(strategy=EXPLORING, measure="exploring_cost")


def _charts(
    t: Language, comparison: StrategyComparison, table: pd.DataFrame, budget: float
) -> Iterator[Markup]:
    baseline = comparison.scenario.baseline
    names = tuple(str(number) for number in sorted(set(table["campaign"])))
    table = table.assign(place=table["campaign"] - 1)
    left_out: dict[str, set[str]] = {
        "conversions": set(),
        "lead_so_far": {baseline, *oracles()},
        "regret": {*oracles()},
    }
    # what is drawn by campaign, each as a chart
    measures = ("conversions", "lead_so_far", "regret")
    for measure in measures:
        shown = table[~table["strategy"].isin(left_out[measure])]
        lines: tuple[Series, ...] = tuple(lines_of(shown, "place", measure))
        if lines:
            chart = Chart(
                caption=t(f"series.{measure}_plot", baseline=baseline, budget=t.money(budget)),
                x=Axis(title=t("series.campaign"), names=names),
                y=Axis(title=t(f"series.{measure}_axis")),
                series=lines,
            )
            yield figure(t, chart)


def _signed(t: Language, value: float) -> str:
    text = t.number(value)
    return text if value <= 0 else f"+{text}"
