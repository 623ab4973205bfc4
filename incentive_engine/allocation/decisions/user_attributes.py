"""Attributes of one user, of their columns' kinds, against conditions.

They read here as `data.conditions` and `weights` read columns of many, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from incentive_engine.config.conditions import Condition, Range, Where
from incentive_engine.domain import AttributeKind
from incentive_engine.errors import DataError, Fault

Attributes = Mapping[str, Any]
"""Column to value, as one value of the column's kind; None where it is missing."""

Matcher = Callable[[Any], bool]
"""Whether a value that is not missing meets a condition."""

Conditions = tuple[tuple[str, Matcher], ...]
"""Columns and what their values must meet, all of them."""


def attribute_value(name: str, kind: AttributeKind, value: Any) -> Any:  # noqa: ANN401 - of any column
    """Return an attribute's value as a column of its kind has it."""
    if value is None or value != value:  # noqa: PLR0124 - NaN is missing
        return None
    if kind == "time":
        # times are told apart by their text alone, as the groups of the file are
        return str(value)
    if kind == "text" or isinstance(value, str):
        if kind != "text" or not isinstance(value, str):
            raise DataError(Fault(f"user: {name}", "the attribute is of another kind", kind))
        return value
    if kind == "truth":
        return bool(value)
    if kind == "integer" and value == int(value):
        return int(value)
    return float(value) + 0.0 if kind == "number" else _single(value)


def _single(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value)) + 0.0


def conditions_of(where: Where, kinds: Mapping[str, AttributeKind]) -> Conditions:
    """Return a policy's `where` as tests of one user's attributes."""
    return tuple((column, _matcher(test, kinds[column])) for column, test in where.items())


def meets_all(conditions: Conditions, attributes: Attributes) -> bool:
    """Whether a user meets every condition; a missing value meets none."""
    for column, matcher in conditions:
        value = attributes[column]
        if value is None or not matcher(value):
            return False
    return True


def _matcher(condition: Condition, kind: AttributeKind) -> Matcher:
    if isinstance(condition, Range):
        least = -math.inf if condition.at_least is None else _number(condition.at_least, kind)
        below = math.inf if condition.below is None else _number(condition.below, kind)
        open_above = condition.below is None
        return lambda value: least <= value and (open_above or value < below)
    return comparable(condition, kind).__contains__


def comparable(values: Any, kind: AttributeKind) -> frozenset[Any]:  # noqa: ANN401 - a policy's scalars
    """Return those of a policy's values that a column of this kind can be equal to."""
    if kind == "text":
        return frozenset(value for value in values if isinstance(value, str))
    if kind == "time":
        return frozenset()
    return frozenset(_number(value, kind) for value in values if not isinstance(value, str))


def _number(value: float, kind: AttributeKind) -> float:
    """Return a policy's number as it is compared with a column of this kind."""
    return _single(value) if kind == "single" else value
