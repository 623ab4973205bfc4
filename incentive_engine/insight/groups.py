"""Tables of a plan by groups of users and by offer; effects are sums of the scores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.tables.arrow import levels
from incentive_engine.domain import MICROS, FloatArray
from incentive_engine.insight.budget.chosen_pairs import share_of
from incentive_engine.insight.findings import PlanFindings
from incentive_engine.insight.small_groups import group_columns, shown_apart
from incentive_engine.report.content import GroupRow, GroupTable


def group_tables(findings: PlanFindings) -> tuple[GroupTable, ...]:
    """Return a table for each column that the policy groups by, and one by offer."""
    columns = grouping_columns(findings.policy, findings.table)
    users, offers = (_by_column(findings, column) for column in columns), _by_offer(findings)
    tables = list(users)
    return (*tables[:1], offers, *tables[1:])


def grouping_columns(policy: Policy, table: ScoreTable) -> list[str]:
    """Return the columns that the policy groups users by and that have few values."""
    # a column with more values than this gets no table; one would not read it
    most_groups = 60
    return [
        column
        for column in group_columns(policy)
        if len(levels(table.attributes.column(column)).labels) <= most_groups
    ]


def _by_column(findings: PlanFindings, column: str) -> GroupTable:
    values = levels(findings.table.attributes.column(column))
    # those whose value is missing are a group of their own, behind the others
    place = np.where(values.code < 0, len(values.labels), values.code)
    users = np.bincount(place, minlength=len(values.labels))
    names: list[str | None] = [
        *map(str, values.labels),
        *[None][: len(users) - len(values.labels)],
    ]
    sums, sizes = _sums(findings, place, len(users)), users.tolist()
    apart = shown_apart(sizes)
    rows = [_row(findings, names[group], sums[group], users=sizes[group]) for group in apart]
    if small := [group for group in range(len(users)) if group not in apart]:
        row = _row(findings, None, sums[small].sum(axis=0), users=int(users[small].sum()))
        rows.append(replace(row, joined=len(small)))
    total = _row(findings, None, sums.sum(axis=0), users=len(place))
    return GroupTable(column=column, rows=tuple(rows), total=total)


def _by_offer(findings: PlanFindings) -> GroupTable:
    offers = findings.table.offers
    sums = _sums(findings, findings.rows.choice, len(offers))
    apart = shown_apart(sums[:, 0].astype(np.int64).tolist())
    rows = [_row(findings, offers[group], sums[group], users=None) for group in apart]
    if small := [group for group in range(len(offers)) if group not in apart]:
        row = _row(findings, None, sums[small].sum(axis=0), users=None)
        rows.append(replace(row, joined=len(small)))
    total = _row(findings, None, sums.sum(axis=0), users=None)
    return GroupTable(column=None, rows=tuple(rows), total=total)


def _sums(findings: PlanFindings, place: npt.NDArray[Any], groups: int) -> FloatArray:
    """Return (groups, 4) float64: users with an offer, their conversions, cost and spend.

    Parameters
    ----------
    place
        (n,) the user's group; of users without an offer it does not matter.
    """
    chosen = findings.rows
    taken = np.flatnonzero(chosen.treated)
    spend = np.zeros(len(taken)) if chosen.spend is None else chosen.spend[taken]
    each = (None, chosen.conversion[taken], chosen.cost_micros[taken] / MICROS, spend)
    columns = [np.bincount(place[taken], weights=of, minlength=groups) for of in each]
    return np.stack(columns, axis=1).astype(np.float64)


def _row(
    findings: PlanFindings, label: str | None, sums: FloatArray, *, users: int | None
) -> GroupRow:
    chosen = findings.rows
    treated, conversions, cost, spend = sums.tolist()
    return GroupRow(
        label=label,
        users=users,
        treated=int(treated),
        conversions=conversions,
        spend=None if chosen.spend is None else spend,
        cost=cost,
        cost_per_conversion=cost / conversions if conversions > 0 else None,
        share_of_cost=share_of(cost, int(chosen.cost_micros.sum()) / MICROS),
        share_of_conversions=share_of(conversions, float(chosen.conversion.sum())),
    )
