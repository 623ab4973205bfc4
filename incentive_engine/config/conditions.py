"""Conditions on users, and the factors of a column's values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BeforeValidator, Discriminator, Field, PlainSerializer, Tag, model_validator

from incentive_engine.config.document.models import Model
from incentive_engine.config.document.problems import FieldProblem, reject
from incentive_engine.config.document.words import Words
from incentive_engine.config.fields import Amount, Column, Scalar
from incentive_engine.language import say


class Range(Model):
    """A half-open range of numbers; a missing value is in no range."""

    at_least: Amount | None = None
    """The smallest number that matches."""
    below: Amount | None = None
    """The smallest number above that no longer matches."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.at_least is None and self.below is None:
            reject(FieldProblem((), "a range without an end", "at_least, below, or both"))
        if self.at_least is not None and self.below is not None and self.at_least >= self.below:
            what = say(
                "the range from {at_least:g} to below {below:g} is empty",
                at_least=self.at_least,
                below=self.below,
            )
            reject(FieldProblem((), what, remedy="raise `below`, or lower `at_least`"))
        return self


def _as_condition(value: object) -> object:
    if isinstance(value, list | tuple):
        if not value:
            reject(FieldProblem((), "an empty list matches nobody", "at least one value"))
        return tuple(value)
    return value if isinstance(value, Mapping | Range) else (value,)


def _kind_of_condition(value: object) -> str:
    return "range" if isinstance(value, Mapping | Range) else "values"


Condition = Annotated[
    Annotated[Range, Tag("range")] | Annotated[tuple[Scalar, ...], Tag("values")],
    Discriminator(_kind_of_condition),
]
"""Any of some values, or a range."""

Where = Annotated[
    dict[Column, Annotated[Condition, BeforeValidator(_as_condition)]],
    Words("a mapping from columns to a value, a list of values, or a range"),
]
"""Column to condition; a user must meet all of them."""


def _from_pairs(value: object) -> object:
    """Turn pairs, as JSON has them, into a mapping."""
    if isinstance(value, list) and all(isinstance(p, list | tuple) and len(p) == 2 for p in value):
        return {tuple(key) if isinstance(key, list) else key: factor for key, factor in value}
    return value


Values = Annotated[
    dict[Scalar, Annotated[float, Field(ge=0)]],
    BeforeValidator(_from_pairs),
    PlainSerializer(lambda values: [list(pair) for pair in values.items()], when_used="json"),
    Words("a mapping from values to factors of at least 0"),
]
"""Value to factor; as pairs in JSON, whose keys would all become text."""
