"""The tables of `whatif`: points, moves, limits, the price of safety; one row per line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from incentive_engine.allocation.budgets.curve import CurvePoint
from incentive_engine.domain import CONVERSION, COST, FACE, SPEND
from incentive_engine.errors import Fault
from incentive_engine.insight.budget.study import LimitCost, Study
from incentive_engine.insight.whatif.movers import Move


def points_table(
    studies: Sequence[Study], budgets: Sequence[float], *, at_least: float | None
) -> pd.DataFrame:
    """Return one row per variant and budget.

    Parameters
    ----------
    at_least
        The marginal return asked for; None leaves the column `keeps_mandate` out.
    """
    rows = [_point(each, budget) for each in studies for budget in budgets]
    table = pd.DataFrame(rows)
    if at_least is not None:
        table["keeps_mandate"] = table["marginal_return"] >= at_least
    return table


def moves_table(moves: Sequence[Move]) -> pd.DataFrame:
    """Return one row per move."""
    frame = pd.DataFrame([asdict(move) for move in moves])
    frame = frame.rename(columns={"origin": "from", "target": "to"})
    return frame.reindex(
        columns=[
            "variant",
            "budget",
            "column",
            "group",
            "from",
            "to",
            "users",
            "conversions",
            "cost",
        ]
    )


def limits_table(studies: Sequence[Study]) -> pd.DataFrame:
    """Return one row per variant, budget and limit."""
    rows = [
        {"variant": each.variant.name, **_limit(limit)}
        for each in studies
        for limit in each.limits
    ]
    columns = [
        "variant", "budget", "limit", "rule", "at_most", "at_least", "ratio", "usage", "price",
        "slack", "report_only", "gain_if_dropped", "gain_if_rule_dropped",
    ]  # fmt: skip
    return pd.DataFrame(rows).reindex(columns=columns)


def safety_table(studies: Sequence[Study], budget: float) -> pd.DataFrame:
    """Return one row per variant and confidence."""
    rows = [
        {
            "variant": each.variant.name,
            "budget": budget,
            "confidence": point.confidence,
            "value": point.value,
            "conversions": point.amounts.get(CONVERSION),
            "spend": point.amounts.get(SPEND),
            "expected_cost": point.expected,
        }
        for each in studies
        for point in each.safety
    ]
    return pd.DataFrame(rows).reindex(
        columns=[
            "variant",
            "budget",
            "confidence",
            "value",
            "conversions",
            "spend",
            "expected_cost",
        ]
    )


def _point(each: Study, budget: float) -> dict[str, Any]:
    point = each.points.get(budget)
    row: dict[str, Any] = {"variant": each.variant.name, "budget": budget}
    if point is None:
        return {**row, "feasible": False, "conflict": _one_line(each.refusals[budget])}
    if not point.feasible:
        return {**row, "feasible": False, "conflict": _one_line(point.conflict)}
    return {**row, "feasible": True, **dict(_figures(point)), "conflict": ""}


def _figures(point: CurvePoint) -> Iterator[tuple[str, float | None]]:
    yield "value", point.value
    yield "bound", point.bound
    yield "gap", point.gap
    yield "used", point.used
    yield "spend", point.amounts.get(SPEND)
    yield "cost", point.amounts.get(COST)
    yield "face", point.amounts.get(FACE)
    yield "treated", round(point.treated)
    yield "conversions", point.amounts.get(CONVERSION)
    yield "roi", point.roi
    yield "marginal_return", point.marginal_return
    yield "price", point.price


def _limit(limit: LimitCost) -> dict[str, Any]:
    report = limit.report
    return {
        "budget": limit.budget,
        "limit": report.name,
        "rule": limit.rule,
        "at_most": report.at_most,
        "at_least": report.at_least,
        "ratio": np.nan if report.ratio is None else report.ratio.usage,
        "usage": report.usage,
        "price": report.price,
        "slack": report.slack,
        "report_only": report.report_only,
        "gain_if_dropped": limit.gain,
        "gain_if_rule_dropped": limit.rule_gain,
    }


def _one_line(faults: Iterable[Fault]) -> str:
    return " | ".join(map(str, faults))
