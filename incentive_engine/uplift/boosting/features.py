"""Features as numbers: categories as codes that the model file keeps."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from incentive_engine.data.columns.dates import dates_in
from incentive_engine.data.tables.frames import to_frame
from incentive_engine.domain import Matrix
from incentive_engine.errors import DataError, Fault, near_name
from incentive_engine.language import Text, say
from incentive_engine.parallel import in_blocks, side_by_side

Kind = Literal["number", "date", "category"]
Value = str | int | float | bool | None
"""One value of a feature, as JSON has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column of the features."""

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    """A category's levels with a code, in the order of the codes; others share the next code."""

    def encode(self, column: pd.Series) -> Matrix:
        """Return the column as (n,) float32; missing and infinite values are NaN."""
        if self.kind == "category":
            code_of = {level: code for code, level in enumerate(self.levels)}
            place, levels = pd.factorize(column.astype("str"))
            codes = np.array([code_of.get(level, len(code_of)) for level in levels] + [np.nan])
            return np.where(column.isna().to_numpy(), np.nan, codes[place]).astype(np.float32)
        if self.kind == "date":
            days = _dates(column) - pd.Timestamp("1970-01-01")
            return (days / pd.Timedelta(days=1)).to_numpy(dtype=np.float32, na_value=np.nan)
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        with np.errstate(over="ignore"):
            numbers = numbers.astype(np.float32)
        return np.where(np.isfinite(numbers), numbers, np.float32(np.nan))

    def encode_value(self, value: Value) -> float | None:
        """Return a value as `encode` has it in a column; None where a column must be asked.

        >>> tier = Feature(name="tier", kind="category", levels=("gold", "silver"))
        >>> tier.encode_value("silver"), tier.encode_value("tin"), tier.encode_value(None)
        (1.0, 2.0, nan)
        """
        if value is None:
            return math.nan
        if self.kind == "category" and isinstance(value, str | int):
            level, levels = str(value), self.levels
            place = bisect_left(levels, level)
            return float(place if levels[place : place + 1] == (level,) else len(levels))
        is_number = self.kind == "number" and isinstance(value, int | float)
        return float(value) if is_number else None


@dataclass(frozen=True, slots=True)
class Encoder:
    """Turns a table of features into a matrix, the same way at training and at scoring."""

    features: tuple[Feature, ...]

    def encode(self, frame: pd.DataFrame, *, where: str) -> Matrix:
        """Return (n, p) float32, p >= 1, NaN where missing; unseen levels are coded as rare.

        Raises
        ------
        DataError
            When a feature is missing from `frame`, or is no longer a number or a date.
        """
        faults = [fault for feature in self.features for fault in _faults(feature, frame, where)]
        if faults:
            raise DataError(*faults)

        def column(at: int) -> Matrix:
            return self.features[at].encode(frame[self.features[at].name])

        # LightGBM wants at least one column, even if it tells nothing
        columns = side_by_side(column, len(self.features)) or [np.zeros(len(frame), np.float32)]
        out = np.empty((len(frame), len(columns)), np.float32)

        def fill(block: slice) -> None:
            out[block] = np.stack([values[block] for values in columns], axis=1)

        in_blocks(fill, len(frame))
        return out

    def encode_row(self, values: Mapping[str, Value], *, where: str) -> Matrix:
        """Return one user's features as `encode` has them in a table, (1, p) float32.

        Raises
        ------
        DataError
            As `encode` does.
        """
        row = [
            feature.encode_value(values[feature.name]) if feature.name in values else None
            for feature in self.features
        ]
        odd = [place for place, number in enumerate(row) if number is None]
        with np.errstate(over="ignore"):
            numbers = np.array([row or [0.0]], np.float64).astype(np.float32)
        if odd:  # a date, or at fault
            features = tuple(self.features[place] for place in odd)
            all_given = all(feature.name in values for feature in features)
            shown = [feature.name for feature in features] if all_given else [*values]
            frame = to_frame(pa.table({name: [values[name]] for name in shown}))
            numbers[:, odd] = Encoder(features).encode(frame, where=where)
        return np.where(np.isfinite(numbers), numbers, np.float32(np.nan))

    @property
    def categories(self) -> tuple[int, ...]:
        """The matrix's columns whose codes are in no order."""
        return tuple(at for at, each in enumerate(self.features) if each.kind == "category")

    @property
    def crowded(self) -> tuple[int, ...]:
        """The columns of categories with so many levels that trees split them by sets of codes.

        With few, two thresholds set any level apart, and a choice among all sets fits noise.
        """
        # levels up to which codes serve as numbers
        few = 16
        return tuple(at for at in self.categories if len(self.features[at].levels) > few)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the content of the model file."""
        return [{"name": f.name, "kind": f.kind, "levels": list(f.levels)} for f in self.features]

    @classmethod
    def from_json(cls, content: list[Mapping[str, Any]]) -> Encoder:
        """Read what `to_json` gave."""
        return cls(tuple(Feature(**{**f, "levels": tuple(f["levels"])}) for f in content))


def learn_encoder(frame: pd.DataFrame) -> Encoder:
    """Decide for each column how it becomes a number.

    Columns that are constant or wholly missing tell nothing and are left out.
    """
    return Encoder(
        tuple(
            Feature(name=name, kind=(kind := _kind(column)), levels=_levels(column, kind))
            for name, column in frame.items()
            if isinstance(name, str) and _varies(column)
        )
    )


def _varies(column: pd.Series) -> bool:
    present = column.dropna()
    return len(present) > 0 and bool((present != present.iloc[0]).any())


def _kind(column: pd.Series) -> Kind:
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    return "number" if pd.api.types.is_numeric_dtype(column) else "category"


def _levels(column: pd.Series, kind: Kind) -> tuple[str, ...]:
    if kind != "category":
        return ()
    counts = column.dropna().astype("str").value_counts()
    # rows that a level needs for a code of its own; below, models would learn single people
    fewest_rows = 20
    frequent = counts[counts >= min(fewest_rows, counts.iloc[0])]
    # levels that a category keeps; the rarest beyond them share one code
    most_levels = 255
    ranked = sorted(frequent.index, key=lambda level: (-frequent[level], level))[:most_levels]
    return tuple(sorted(ranked))


def _says_dates(feature: Feature, column: pd.Series) -> bool:
    """Return whether a column is text that says the dates which a feature holds."""
    return feature.kind == "date" and _kind(column) == "category" and dates_in(column) is not None


def _dates(column: pd.Series) -> pd.Series:
    """Return a column of dates, or of text that says dates, as dates."""
    dates = dates_in(column) if _kind(column) == "category" else None
    return pd.to_datetime(column) if dates is None else dates


def _faults(feature: Feature, frame: pd.DataFrame, where: str) -> list[Fault]:
    if feature.name not in frame:
        what = say(
            "the feature `{name}` that the model learned from is missing", name=feature.name
        )
        near = near_name(feature.name, map(str, frame.columns))
        remedy: Text = say("did you mean `{name}`?", name=near)
        if near is None:
            remedy = "add the column, or train without it"
        return [Fault(where, what, remedy=remedy)]
    column = frame[feature.name]
    kind = "date" if _says_dates(feature, column) else _kind(column)
    if feature.kind != "category" and column.notna().any() and kind != feature.kind:
        what = say("`{name}` holds no {kind}s", name=feature.name, kind=feature.kind)
        return [Fault(where, what, "what the model learned from", "mend the column")]
    return []
