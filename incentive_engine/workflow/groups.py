"""Tables of a plan by groups of users and by offer; effects are sums of the scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from incentive_engine.config import Policy
from incentive_engine.data.columns import levels
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import BoolArray
from incentive_engine.report import GroupRow, GroupTable
from incentive_engine.workflow.findings import Findings
from incentive_engine.workflow.response import group_columns
from incentive_engine.workflow.small import shown_apart

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
    return [
        column
        for column in group_columns(policy)
        if len(levels(table.attributes.column(column)).labels) <= MOST_GROUPS
    ]


def _by_column(findings: Findings, column: str) -> GroupTable:
    found = levels(findings.table.attributes.column(column))
    codes, labels = found.code, found.labels
    members: list[tuple[str | None, BoolArray]] = [
        (str(label), codes == code) for code, label in enumerate(labels)
    ]
    members += [(None, codes < 0)] if (codes < 0).any() else []
    sizes = [int(mine.sum()) for _, mine in members]
    apart = shown_apart(sizes)
    rows = [_row(findings, *members[at], users=sizes[at]) for at in apart]
    if small := [mine for at, (_, mine) in enumerate(members) if at not in apart]:
        mine = np.logical_or.reduce(small)
        row = _row(findings, None, mine, users=int(mine.sum()))
        rows.append(replace(row, joined=len(small)))
    return GroupTable(column=column, rows=tuple(rows), total=_total(findings, len(codes)))


def _by_offer(findings: Findings) -> GroupTable:
    choice, offers = findings.chosen.choice, findings.table.offers
    apart = shown_apart([int((choice == index).sum()) for index in range(len(offers))])
    rows = [_row(findings, offers[at], choice == at, users=None) for at in apart]
    if small := [index for index in range(len(offers)) if index not in apart]:
        row = _row(findings, None, np.isin(choice, small), users=None)
        rows.append(replace(row, joined=len(small)))
    return GroupTable(column=None, rows=tuple(rows), total=_total(findings, None))


def _total(findings: Findings, users: int | None) -> GroupRow:
    everyone = np.ones(findings.table.n_users, dtype=np.bool_)
    return _row(findings, None, everyone, users=users)


def _row(findings: Findings, label: str | None, mine: BoolArray, *, users: int | None) -> GroupRow:
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
