"""Columns that a policy names, checked against a table, at the policy's own line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import pyarrow as pa

from incentive_engine.config.conditions import Range, Where
from incentive_engine.config.fields import Scalar
from incentive_engine.config.policy import Policy
from incentive_engine.data.row_checks import RowChecks, near_column
from incentive_engine.data.tables.arrow import Column, coded, equal, is_number, levels
from incentive_engine.errors import Fault
from incentive_engine.language import Message, Value, say

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
            wanted = tuple(factor.values or ())
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
            policy.locate(use.loc),
            say("column `{column}` is not in {where}", column=use.column, where=where),
            remedy=near_column(use.column, names),
        )
        for use in uses(policy)
        if use.column not in names
    ]


def reserved_attributes(policy: Policy, reserved: frozenset[str]) -> list[Fault]:
    """Return a fault per place that takes a trial's outcome for an attribute of users."""
    return [
        Fault(
            policy.locate(use.loc),
            say("column `{column}` is reserved for what happened in the trial", column=use.column),
            remedy="give the attribute another name",
        )
        for use in uses(policy)
        if use.column in reserved
    ]


def misused_attributes(policy: Policy, numeric: Mapping[str, bool], *, where: str) -> list[Fault]:
    """Return a fault per place that needs numbers where the table's column has none.

    Parameters
    ----------
    numeric
        Column to whether it holds numbers; those that the table lacks are `missing_attributes`'
        business.
    """
    return [
        Fault(
            policy.locate(use.loc),
            say(
                "{numeric} needs numbers, and column `{column}` of {where} has none",
                numeric=use.numeric,
                column=use.column,
                where=where,
            ),
            remedy="name values instead, or another column",
        )
        for use in uses(policy)
        if use.numeric and not numeric.get(use.column, True)
    ]


def unseen_values(policy: Policy, attributes: pa.Table, *, where: str) -> list[Message]:
    """Return a warning per value that a policy looks for and no row has."""
    return [
        _unseen(policy.locate(use.loc), use.column, value, attributes.column(use.column), where)
        for use in uses(policy)
        if use.column in attributes.column_names
        for value in use.wanted
        if not equal(attributes.column(use.column), value).any()
    ]


def _unseen(place: str, name: str, value: Scalar, column: Column, where: str) -> Message:
    """Return that a value does not occur, and which were probably meant, or occur while few do."""
    values = [str(label) for label in levels(column).labels]
    word = str(value).lower() if isinstance(value, bool) else str(value)  # as YAML writes it
    text = word.casefold()
    # an empty text is within every other one, and nobody means it by a word
    inside = [
        label
        for label in values
        if text and label and (text in label.casefold() or label.casefold() in text)
    ]
    # values of a column that a misspelt one is compared to
    compared = 5_000
    near = dict.fromkeys([*inside, *get_close_matches(word, values[:compared], n=1)])
    shared: dict[str, Value] = {
        "place": place, "where": where, "column": name, "value": word
    }  # fmt: skip
    meant = None if isinstance(value, bool) else _in_other_kind(column, word, values)
    if meant is not None:
        kind = "number" if is_number(column.type) else "text"
        return say(f"scores.no_row_{kind}", **shared, near=meant)
    if near:
        return say("scores.no_row_near", **shared, near=", ".join(list(near)[:3]))
    if 0 < len(values) <= RowChecks.NAMED_COLUMNS:
        return say("scores.no_row_known", **shared, known=", ".join(values))
    return say("scores.no_row", **shared)


def _in_other_kind(column: Column, word: str, values: Sequence[str]) -> str | None:
    """Return the value that a word is but for its kind: `1` of numbers for the text 01."""
    if not is_number(column.type):
        return word if word in values else None
    bare = word.lstrip("0") or "0"
    return bare if word.isdecimal() and bare in values else None


def _conditions(loc: Loc, where: Where) -> Iterator[Use]:
    for column, condition in where.items():
        if isinstance(condition, Range):
            yield Use(loc=(*loc, column), column=column, numeric="a range")
        else:
            yield Use(loc=(*loc, column), column=column, wanted=condition)


def named_attributes(policy: Policy, table: pa.Table) -> pa.Table:
    """Return the policy's columns that a table has, as `columns.coded` gives them."""
    names = [name for name in policy.attribute_columns if name in table.column_names]
    named = table.select(names)
    for place, name in enumerate(names):
        named = named.set_column(place, name, coded(table.column(name)))
    return named
