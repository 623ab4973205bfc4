"""Who a user is to the policy: which conditions match, which weight, which offers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.config.conditions import Condition, Range, Where
from incentive_engine.config.fields import Scalar
from incentive_engine.config.policy import Policy, WeightFactor
from incentive_engine.data.tables.arrow import (
    as_arrow,
    as_numpy,
    is_missing,
    is_text,
    numbers,
    whole,
)
from incentive_engine.data.tables.types import plain_table
from incentive_engine.data.trials.holdout import draw_holdout
from incentive_engine.domain import BoolArray, FloatArray, IntArray
from incentive_engine.errors import DataError

from .blocks import UnreadableError, open_parquet, read_columns


def read_users(path: Path, names: tuple[str, ...]) -> pa.Table:
    """Return `user_id` and some attributes of a score table: text by codes, NaN as missing.

    Raises
    ------
    UnreadableError
        When they cannot be read.
    """
    schema = open_parquet(path).schema_arrow
    text = [name for name in names if is_text(schema.field(name).type)]
    table = read_columns(path, names, codes=text)
    others = [name for name in names if name not in text]
    try:  # as a planner's table is read: times without a zone, dates as times
        plain = plain_table(table.select(others), where=path.name)
    except DataError as error:
        raise UnreadableError(str(error.faults[0])) from error
    attributes = {name: as_attribute((table if name in text else plain)[name]) for name in names}
    return pa.table({**attributes, "user_id": read_ids(path)})  # ids stay ids as attributes too


def as_attribute(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column in one piece: text as a dictionary, numbers and dates as they are."""
    column = whole(column)
    if is_text(column.type):
        coded = pa.types.is_dictionary(column.type)
        return column if coded else whole(pc.dictionary_encode(column))
    if pa.types.is_decimal(column.type) or pa.types.is_null(column.type):
        column = whole(column.cast(pa.float64()))
    if pa.types.is_floating(column.type):
        values = numbers(column)
        return as_arrow(values, np.isnan(values))
    return column


def read_ids(path: Path) -> pa.Array:
    """Return a table's `user_id`, int64 where all fit, else text.

    Raises
    ------
    UnreadableError
        When it cannot be read.
    """
    column = read_columns(path, ["user_id"])["user_id"]
    if pa.types.is_integer(column.type) and column.type != pa.uint64():
        return whole(column.cast(pa.int64()))
    return whole(column.cast(pa.large_string()))


def matching(attributes: pa.Table, where: Where) -> BoolArray:
    """Return which users meet every condition, (n,) bool; a missing value meets none."""
    met = np.ones(len(attributes), dtype=np.bool_)
    for column, condition in where.items():
        met &= _meets(whole(attributes[column]), condition)
    return met


def weights(attributes: pa.Table, policy: Policy) -> FloatArray:
    """Return how much each user's outcome counts, (n,) float64, >= 0."""
    if not policy.objective.weight:
        return np.broadcast_to(np.float64(1.0), len(attributes))  # takes no memory
    weight = np.ones(len(attributes))
    for factor in policy.objective.weight:
        column = whole(attributes[factor.column])
        weight *= _power(column, factor) if factor.power is not None else _table(column, factor)
    return weight


def drawn_holdout(user_id: pa.Array, attributes: pa.Table, policy: Policy) -> BoolArray:
    """Return who must not get an offer, (n,) bool, drawn again from the policy's seed."""
    if not policy.holdout:
        return np.zeros(len(user_id), dtype=np.bool_)
    strata = attributes.select(list(policy.holdout_strata))
    return draw_holdout(user_id, strata, share=policy.holdout, seed=policy.seed)


def allowed(attributes: pa.Table, policy: Policy, offer: str) -> BoolArray:
    """Return which users the eligibility rules let have an offer, (n,) bool."""
    met = np.ones(len(attributes), dtype=np.bool_)
    for rule in policy.eligibility:
        if offer in rule.offers:
            met &= matching(attributes, rule.where)
    return met


def grouped(column: pa.Array) -> tuple[IntArray, list[Any]]:
    """Return each user's place among the values that occur, ascending; -1 for a missing one."""
    coded = column if pa.types.is_dictionary(column.type) else whole(pc.dictionary_encode(column))
    codes = np.where(is_missing(coded.indices), -1, as_numpy(coded.indices)).astype(np.int64)
    counts = np.bincount(codes[codes >= 0], minlength=len(coded.dictionary))
    labels = coded.dictionary.to_pylist()
    # a dictionary may hold values that no row has, and makes no limit of them
    used = sorted(np.flatnonzero(counts).tolist(), key=labels.__getitem__)
    place = np.full(len(labels) + 1, -1, dtype=np.int64)
    place[used] = np.arange(len(used))
    return place[codes], [labels[code] for code in used]


def _meets(column: pa.Array, condition: Condition) -> BoolArray:
    if isinstance(condition, Range):
        values = numbers(column)
        met = ~np.isnan(values)
        if condition.at_least is not None:
            met &= values >= condition.at_least
        if condition.below is not None:
            met &= values < condition.below
        return met
    met = np.zeros(len(column), dtype=np.bool_)
    for value in condition:
        met |= _equals(column, value)
    return met


def _equals(column: pa.Array, value: Scalar) -> BoolArray:
    none = np.zeros(len(column), dtype=np.bool_)
    if pa.types.is_dictionary(column.type):
        labels = column.dictionary.to_pylist()
        if not isinstance(value, str) or value not in labels:
            return none
        same = as_numpy(column.indices) == labels.index(value)
        return np.asarray(same & ~is_missing(column.indices), dtype=np.bool_)
    if isinstance(value, str) or pa.types.is_temporal(column.type):
        return none
    whole_number = pa.types.is_integer(column.type)
    same = (as_numpy(column) if whole_number else numbers(column)) == value
    return np.asarray(same & ~is_missing(column), dtype=np.bool_)


def _table(column: pa.Array, factor: WeightFactor) -> FloatArray:
    result = np.ones(len(column))
    # in the order of the file: of two values that equal the same cell, the later one counts
    for value, times in dict(factor.values or {}).items():
        result[_equals(column, value)] = times
    return result


def median_of(column: pa.Array) -> float:
    """Return what a power of a column is relative to: its median, 1 where that is 0 or unknown."""
    values = np.asarray(numbers(column), dtype=np.float64)
    present = np.maximum(values[~np.isnan(values)], 0.0)
    median = float(np.median(present)) if len(present) else 0.0
    return median if median > 0 else 1.0


def _power(column: pa.Array, factor: WeightFactor) -> FloatArray:
    values = np.asarray(numbers(column), dtype=np.float64)
    missing = np.isnan(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        raised = (np.maximum(values, 0.0) / median_of(column)) ** (factor.power or 0.0)
    return np.where(missing, 1.0, np.clip(raised, *factor.clip))
