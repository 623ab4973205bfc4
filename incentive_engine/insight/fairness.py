"""Who gets how much of the pool, and whether loyal members get less than others like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from incentive_engine.data.columns.conditions import matches
from incentive_engine.data.tables.arrow import Column, compact, is_number, levels, numbers
from incentive_engine.domain import BoolArray, FloatArray, IntArray
from incentive_engine.insight.findings import PlanFindings
from incentive_engine.insight.params import INSIGHT
from incentive_engine.report.evidence import BenefitRow, Benefits, LoyaltyCheck
from incentive_engine.stats.estimate import Estimate
from incentive_engine.stats.intervals import interval


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FairnessGroups:
    """Users by one column.

    Attributes
    ----------
    column
        Its name.
    code
        (n,) int64, −1 for missing.
    labels
        Of the values; None for a column of numbers.
    ends
        (c, 2) float64, the least and the largest number of each fifth; empty for values.
    """

    column: str
    code: IntArray
    labels: tuple[str, ...] | None
    ends: FloatArray

    @property
    def number(self) -> int:
        """How many groups there are."""
        return len(self.ends) if self.labels is None else len(self.labels)


def benefits(findings: PlanFindings) -> tuple[Benefits, ...]:
    """Return what each group gets per user, and the check of loyalty, by column.

    A user's benefit is the subsidy expected to be redeemed. The holdout is left out: chance alone
    decided on it.
    """
    decided = np.flatnonzero(~findings.holdout)
    attributes = findings.table.attributes
    groups = [_groups(name, attributes.column(name), decided) for name in _columns(findings)]
    shown = [each for each in groups if each is not None]
    return tuple(_benefits(findings, each, shown, decided) for each in shown)


def _columns(findings: PlanFindings) -> tuple[str, ...]:
    policy = findings.policy
    weighted = tuple(dict.fromkeys(factor.column for factor in policy.objective.weight))
    return policy.fairness or weighted


def _groups(name: str, column: Column, decided: IntArray) -> FairnessGroups | None:
    if is_number(column.type) and not pa.types.is_boolean(column.type):
        return _fifths(name, numbers(column)[decided].astype(np.float64))
    values = levels(column)
    code = values.code[decided]
    present, places = np.unique(code[code >= 0], return_inverse=True)
    # columns of text with more values than this are not compared; one would not read it
    most_values = 12
    if not 2 <= len(present) <= most_values:
        return None
    codes = np.full(len(code), -1, dtype=np.int64)
    codes[code >= 0] = places
    named = tuple(str(values.labels[at]) for at in present)
    return FairnessGroups(column=name, code=codes, labels=named, ends=np.empty((0, 2)))


def _fifths(name: str, numbers: FloatArray) -> FairnessGroups | None:
    """Return up to five groups of about equal size; equal numbers share one."""
    is_known = ~np.isnan(numbers)
    if not is_known.any():
        return None
    fifths = 5
    edges = np.unique(np.quantile(numbers[is_known], np.arange(1, fifths) / fifths))
    code = np.where(is_known, np.searchsorted(edges, numbers, side="right"), -1)
    present, code[is_known] = np.unique(code[is_known], return_inverse=True)
    if len(present) < 2:
        return None
    ends = np.array(
        [
            [numbers[code == group].min(), numbers[code == group].max()]
            for group in range(len(present))
        ]
    )
    return FairnessGroups(column=name, code=code.astype(np.int64), labels=None, ends=ends)


def _benefits(
    findings: PlanFindings, groups: FairnessGroups, others: list[FairnessGroups], decided: IntArray
) -> Benefits:
    chosen = findings.rows
    cost, treated = chosen.cost[decided], chosen.treated[decided]
    # no offer is −1, which looks up the 0 at the end
    faces = np.array([*findings.table.faces, 0.0])[chosen.choice[decided]]
    rows = [
        BenefitRow(
            label=None if groups.labels is None else groups.labels[group],
            low=float(groups.ends[group, 0]) if groups.labels is None else None,
            high=float(groups.ends[group, 1]) if groups.labels is None else None,
            users=int(mine.sum()),
            share_treated=float(treated[mine].mean()),
            benefit=float(cost[mine].mean()),
            face=float(faces[mine].mean()),
            weight=float(findings.rows.weight[decided][mine].mean()),
        )
        for group in range(groups.number)
        if (mine := groups.code == group).sum() >= INSIGHT.smallest_group
    ]
    check = _check(findings, groups, others, decided, cost)
    return Benefits(column=groups.column, rows=tuple(rows), check=check)


def _check(
    findings: PlanFindings,
    groups: FairnessGroups,
    others: list[FairnessGroups],
    decided: IntArray,
    cost: FloatArray,
) -> LoyaltyCheck | None:
    """Return how the loyal fare beside the others who are like them in all else."""
    loyal_code = _loyal(findings, groups)
    if loyal_code is None:
        return None
    loyal = groups.code == loyal_code
    plain = (groups.code >= 0) & ~loyal if groups.labels is not None else groups.code == 0
    equal = [each for each in others if each.column != groups.column]
    rules = [rule for rule in findings.policy.eligibility if groups.column not in rule.where]
    matched = [matches(findings.table.attributes, rule.where)[decided] for rule in rules]
    like = combinations([*(each.code for each in equal), *matched], users=len(decided))
    difference, compared = matched_difference(cost, like, loyal=loyal, others=plain)
    return LoyaltyCheck(
        column=groups.column,
        member=None if groups.labels is None else groups.labels[loyal_code],
        equal=tuple(each.column for each in equal),
        same_offers=bool(rules),
        difference=difference,
        compared=compared,
    )


def _loyal(findings: PlanFindings, groups: FairnessGroups) -> int | None:
    """Return the group that counts as loyal: the largest weight, or the highest fifth."""
    if groups.labels is None:
        return groups.number - 1
    for factor in findings.policy.objective.weight:
        weights = dict(factor.values or {})
        if factor.column == groups.column and weights:
            best = str(max(weights, key=weights.__getitem__))
            return groups.labels.index(best) if best in groups.labels else None
    return None


def combinations(parts: Sequence[IntArray | BoolArray], *, users: int) -> IntArray:
    """Return (n,) int64, one number per combination of codes that occurs.

    Parameters
    ----------
    parts
        Each (n,), at least −1.
    """
    code = np.zeros(users, dtype=np.int64)
    for codes in parts:
        # numbered anew each time, so that no number of parts passes what an int64 holds
        code = compact(code * (int(codes.max(initial=0)) + 2) + codes + 1)
    return code


def matched_difference(
    benefit: FloatArray, like: IntArray, *, loyal: BoolArray, others: BoolArray
) -> tuple[Estimate, float]:
    """Return by how much the loyal get more per user than the others who are like them.

    Parameters
    ----------
    benefit
        (n,) currency units.
    like
        (n,) users are compared only where this agrees.
    loyal, others
        (n,) the two groups.

    Returns
    -------
    The difference with its 95 % interval, and the share of the loyal who were compared.

    Notes
    -----
    Within each stratum the difference of means; strata count by their loyal users. The variance
    adds those of the means; strata where a group has fewer than two users are left out.
    """
    _, stratum = np.unique(like, return_inverse=True)
    number = int(stratum.max(initial=0)) + 1
    (size, mean, error), (size_other, mean_other, error_other) = (
        _moments(benefit[mine], stratum[mine], number) for mine in (loyal, others)
    )
    both = (size >= 2) & (size_other >= 2)
    compared = size[both].sum()
    if not compared:
        return Estimate(value=0.0), 0.0
    share_of_stratum = size[both] / compared
    value = float(share_of_stratum @ (mean[both] - mean_other[both]))
    standard_error = float(np.sqrt(share_of_stratum**2 @ (error[both] + error_other[both])))
    share = float(compared / max(loyal.sum(), 1))
    return interval(value, standard_error), share


def _moments(
    values: FloatArray, stratum: IntArray, number: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return size, mean and squared standard error of the mean per stratum."""
    size = np.bincount(stratum, minlength=number).astype(np.float64)
    at_least_one = np.maximum(size, 1.0)
    mean = np.bincount(stratum, weights=values, minlength=number) / at_least_one
    square = np.bincount(stratum, weights=(values - mean[stratum]) ** 2, minlength=number)
    return size, mean, square / np.maximum(size - 1.0, 1.0) / at_least_one
