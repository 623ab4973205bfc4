"""The kinds of values that the fields of policies and scenarios take."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints

from incentive_engine.config.amounts import (
    Bound,
    parse_amount,
    parse_bound,
    parse_share,
    parse_sum,
    write_bound,
)
from incentive_engine.config.document.problems import FieldProblem, reject
from incentive_engine.config.document.words import Words
from incentive_engine.language import say


def _scalar(value: object) -> object:
    if not isinstance(value, str | int | float | bool):
        what = (
            "is empty"
            if value is None
            else say("is {value}", value="a list" if isinstance(value, list) else "a mapping")
        )
        reject(FieldProblem((), what, "a single value: text, a number, true or false"))
    # YAML reads 3.0 and 3 as two types, and a column of whole numbers holds neither as text
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


OfferId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=64),
    Words("an id of letters, digits, `_` and `-`"),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Column = Annotated[Name, Words("a column's name")]
Measure = Annotated[Name, Words("a measure's name")]
Amount = Annotated[float, BeforeValidator(parse_amount), Words("an amount")]
Money = Annotated[float, BeforeValidator(parse_sum), Field(ge=0), Words("an amount of at least 0")]
Share = Annotated[
    float, BeforeValidator(parse_share), Field(ge=0, le=1), Words("a share such as 0.05 or 5%")
]
Margin = Annotated[
    float, BeforeValidator(parse_share), Field(gt=0, le=1), Words("a share above 0 such as 25%")
]
BoundField = Annotated[
    Bound,
    BeforeValidator(parse_bound),
    PlainSerializer(write_bound, when_used="json"),
    Words("an amount, a percentage or `25% of spent`"),
]
Count = Annotated[int, Field(ge=100), Words("a whole number of at least 100")]
Confidence = Annotated[float, Field(ge=0.5, lt=1), Words("a probability from 0.5 to below 1")]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1), Words("a whole number from 0 to 2147483647")]
Scalar = Annotated[
    str | int | float | bool, BeforeValidator(_scalar), Words("text, a number, true or false")
]
