"""Columns that a policy names, checked against a table, at the policy's own line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from incentive_engine.config import locate
from incentive_engine.config.schema import Policy, Range, Scalar, Where
from incentive_engine.data.conditions import comparable
from incentive_engine.data.rows import near_column
from incentive_engine.errors import Fault

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One place where a policy names a column."""

    loc: Loc
    column: str
    numeric: str = ""
    """What needs numbers there: `a range`, `a power`, or nothing."""
    wanted: tuple[Scalar, ...] = ()
    """The values that it looks for."""


def uses(policy: Policy) -> Iterator[Use]:
    """Yield every place where a policy names a column, in the order of the file."""
    for i, factor in enumerate(policy.objective.weight):
        loc: Loc = ("objective", "weight", i)
        if factor.power is not None:
            yield Use(loc=(*loc, "column"), column=factor.column, numeric="a power")
        else:
            wanted = tuple(factor.values or ())  # noqa: PD011 - a field of the policy
            yield Use(loc=(*loc, "column"), column=factor.column, wanted=wanted)
    for i, rule in enumerate(policy.eligibility):
        yield from _conditions(("eligibility", i, "where"), rule.where)
    for i, limit in enumerate(policy.limits):
        yield from _conditions(("limits", i, "where"), limit.where)
        if limit.for_each is not None:
            yield Use(loc=("limits", i, "for_each"), column=limit.for_each)
    for i, column in enumerate(policy.holdout_strata):
        yield Use(loc=("holdout_strata", i), column=column)
    for i, column in enumerate(policy.fairness):
        yield Use(loc=("fairness", i), column=column)


def missing_attributes(policy: Policy, names: tuple[str, ...], *, where: str) -> list[Fault]:
    """Return a fault per place that names a column which is not among `names`."""
    return [
        Fault(
            locate(policy, use.loc),
            f"column `{use.column}` is not in {where}",
            remedy=near_column(use.column, names),
        )
        for use in uses(policy)
        if use.column not in names
    ]


def reserved_attributes(policy: Policy, reserved: frozenset[str]) -> list[Fault]:
    """Return a fault per place that takes a trial's outcome for an attribute of users."""
    return [
        Fault(
            locate(policy, use.loc),
            f"column `{use.column}` is reserved for what happened in the trial",
            remedy="give the attribute another name",
        )
        for use in uses(policy)
        if use.column in reserved
    ]


def misused_attributes(policy: Policy, frame: pd.DataFrame, *, where: str) -> list[Fault]:
    """Return a fault per place that needs numbers where the table's column has none.

    Columns that the table lacks are `missing_attributes`' business.
    """
    return [
        Fault(
            locate(policy, use.loc),
            f"{use.numeric} needs numbers, and column `{use.column}` of {where} has none",
            remedy="name values instead, or another column",
        )
        for use in uses(policy)
        if use.numeric and use.column in frame and not is_numeric_dtype(frame[use.column])
    ]


def unseen_values(policy: Policy, frame: pd.DataFrame, *, where: str) -> list[str]:
    """Return a warning per value that a policy looks for and no row has."""
    warnings = []
    for use in uses(policy):
        seen = frame[use.column]
        for value in use.wanted:
            if not np.any(seen.isin(comparable(seen, (value,)))):
                place = locate(policy, use.loc)
                warnings.append(f"{place}: no row of {where} has {use.column} = {value}")
    return warnings


def _conditions(loc: Loc, where: Where) -> Iterator[Use]:
    for column, condition in where.items():
        if isinstance(condition, Range):
            yield Use(loc=(*loc, column), column=column, numeric="a range")
        else:
            yield Use(loc=(*loc, column), column=column, wanted=condition)


def plain_attributes(policy: Policy, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the policy's columns that a frame has, numbered from 0, with text as ``str``."""
    present = [name for name in policy.attribute_columns if name in frame]
    named = frame[present].reset_index(drop=True)
    kinds = named.dtypes
    text = [name for name in named.columns if kinds[name] == "object" or kinds[name] == "category"]
    return named.astype(dict.fromkeys(text, "str"))
