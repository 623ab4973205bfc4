"""Tables of a plan by groups of users and by offer; effects are sums of the scores."""

from __future__ import annotations

import numpy as np
import pandas as pd

from incentive_engine.config import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import BoolArray
from incentive_engine.report import GroupRow, GroupTable
from incentive_engine.workflow.findings import Findings

MOST_GROUPS = 60
"""A column with more values than this gets no table; one would not read it."""


def group_tables(findings: Findings) -> tuple[GroupTable, ...]:
    """Return a table for each column that the policy groups by, and one by offer."""
    columns = grouping_columns(findings.policy, findings.table)
    users, offers = (_by_column(findings, column) for column in columns), _by_offer(findings)
    tables = list(users)
    return (*tables[:1], offers, *tables[1:])


def share_of(part: float, whole: float) -> float:
    """Return part / whole, 0 where the whole is 0."""
    return float(part / whole) if whole else 0.0


def grouping_columns(policy: Policy, table: ScoreTable) -> list[str]:
    """Return the columns that the policy groups users by and that have few values."""
    named = [factor.column for factor in policy.objective.weight if factor.power is None]
    named += policy.holdout_strata
    named += [limit.for_each for limit in policy.limits if limit.for_each]
    return [
        column
        for column in dict.fromkeys(named)
        if table.attributes[column].nunique() <= MOST_GROUPS
    ]


def _by_column(findings: Findings, column: str) -> GroupTable:
    values = findings.table.attributes[column]
    codes, labels = pd.factorize(values, use_na_sentinel=True, sort=True)
    rows = [
        _row(findings, str(label), codes == code, users=int(np.sum(codes == code)))
        for code, label in enumerate(labels)
    ]
    if (codes < 0).any():
        rows.append(_row(findings, "(missing)", codes < 0, users=int(np.sum(codes < 0))))
    title = f"By {column.replace('_', ' ')}"
    return GroupTable(
        title=title, column=column, rows=tuple(rows), total=_total(findings, len(values))
    )


def _by_offer(findings: Findings) -> GroupTable:
    rows = tuple(
        _row(findings, offer, findings.chosen.choice == index, users=None)
        for index, offer in enumerate(findings.table.offers)
    )
    return GroupTable(title="By offer", column="offer", rows=rows, total=_total(findings, None))


def _total(findings: Findings, users: int | None) -> GroupRow:
    everyone = np.ones(findings.table.n_users, dtype=np.bool_)
    return _row(findings, "total", everyone, users=users)


def _row(findings: Findings, label: str, mine: BoolArray, *, users: int | None) -> GroupRow:
    chosen = findings.chosen
    conversions, cost = float(chosen.conversion[mine].sum()), float(chosen.cost[mine].sum())
    return GroupRow(
        label=label,
        users=users,
        treated=int(chosen.treated[mine].sum()),
        conversions=conversions,
        spend=None if chosen.spend is None else float(chosen.spend[mine].sum()),
        cost=cost,
        cost_per_conversion=cost / conversions if conversions > 0 else None,
        share_of_cost=share_of(cost, float(chosen.cost.sum())),
        share_of_conversions=share_of(conversions, float(chosen.conversion.sum())),
    )
