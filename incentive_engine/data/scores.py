"""Score tables: what each offer is expected to change for each user."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import pyarrow as pa

from incentive_engine.config.schema import Policy
from incentive_engine.data.attributes import (
    missing_attributes,
    misused_attributes,
    named_attributes,
    unseen_values,
)
from incentive_engine.data.columns import FloatColumn, as_arrow, is_number
from incentive_engine.data.files import column_names, read_table
from incentive_engine.data.formats import USER_ID
from incentive_engine.data.rows import RowChecks, as_id, missing_columns
from incentive_engine.domain import (
    COST,
    FACE,
    ISSUED,
    MICROS,
    OFFER_MEASURES,
    SPEND,
    score_column,
)
from incentive_engine.errors import DataError, Fault

if TYPE_CHECKING:
    import pandas as pd

LARGEST_TOTAL: Final = (2**63 - 1) / MICROS
"""Money beyond this cannot be summed as integers of millionths."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreTable:
    """Measures per user and offer, checked; made by `read_scores` or `from_frame`.

    Attributes
    ----------
    offers
        The k offers in the policy's order.
    user_id
        n int64 or texts, unique, in the order of the file.
    attributes
        n rows; exactly the columns that the policy names, as `columns.coded` gives them.
    measures
        Measure to (k, n) float32 or float64, as the file has them; NaN is missing.
    errors
        Column to standard errors of a measure and an offer, (n,), where the file has them.
    faces
        Face value of each offer, currency units.
    missing_pairs
        (measure, offer) to the number of users for whom it is NaN, where there are any.
    warnings
        What a planner should know and what does not stop the run.
    """

    offers: tuple[str, ...]
    user_id: pa.Array
    attributes: pa.Table
    measures: Mapping[str, FloatColumn]
    errors: Mapping[str, FloatColumn]
    faces: tuple[float, ...]
    missing_pairs: Mapping[tuple[str, str], int]
    warnings: tuple[str, ...]

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, policy: Policy, *, where: str = "scores") -> Self:
        """Check a frame in memory as `read_scores` checks a file.

        Raises
        ------
        DataError
            With everything that is wrong with it, `where` in front.
        """
        from incentive_engine.data.frames import from_frame

        names = tuple(map(str, frame.columns))
        table = from_frame(frame[_wanted(names, policy)])
        return cls._of_rows(table, policy, _column_faults(names, policy, where), where)

    @classmethod
    def _of_rows(cls, table: pa.Table, policy: Policy, faults: list[Fault], where: str) -> Self:
        """Check the rows of the columns that there are, and raise all faults at once."""
        if table.num_rows == 0:
            raise DataError(*faults, Fault(where, "has no rows", "one row per user"))
        checks = _row_checks(table, where, faults)
        numeric = {field.name: is_number(field.type) for field in table.schema}
        checks.faults.extend(misused_attributes(policy, numeric, where=where))
        columns = _numbers(table, policy, checks)
        _check_total(columns, policy, checks)
        checks.done()
        attributes = named_attributes(policy, table)
        measures = {
            measure: _stacked(columns, measure, policy)
            for measure in _measures(table.column_names, policy)
        }
        missing = {
            (measure, offer): int(count)
            for measure, values in measures.items()
            for offer, row in zip(policy.offer_ids, values, strict=True)
            if (count := np.isnan(row).sum())
        }
        pairs = product(measures, policy.offer_ids)
        errors = [name for pair in pairs if (name := _error_column(*pair)) in columns]
        return cls(
            offers=policy.offer_ids,
            user_id=as_id(table.column(USER_ID)),
            attributes=attributes,
            measures=MappingProxyType(measures),
            errors=MappingProxyType({name: columns[name] for name in errors}),
            faces=tuple(offer.face_value for offer in policy.offers),
            missing_pairs=MappingProxyType(missing),
            warnings=(
                *unseen_values(policy, attributes, where=where),
                *_empty_offers(missing, table.num_rows, where=where),
            ),
        )

    @property
    def n_users(self) -> int:
        """How many users there are."""
        return len(self.user_id)

    def has(self, measure: str) -> bool:
        """Return whether `measure` is known for the offers."""
        return measure in OFFER_MEASURES or measure in self.measures

    def measure(self, measure: str, offer: str) -> FloatColumn:
        """Return (n,) floats, read-only: a measure of one offer, NaN where it is missing.

        Raises
        ------
        KeyError
            When the table has no such measure.
        """
        at = self.offers.index(offer)
        if measure in OFFER_MEASURES:
            known = {FACE: self.faces[at], ISSUED: 1.0}
            return np.broadcast_to(np.float64(known[measure]), (self.n_users,))
        values: FloatColumn = self.measures[measure][at]
        return values

    def to_table(self) -> pa.Table:
        """Return the table in the order of a file: ids, attributes, measures with their errors."""
        columns = {USER_ID: self.user_id} | dict(
            zip(self.attributes.column_names, self.attributes.columns, strict=True)
        )
        for measure, offer in product(self.measures, self.offers):
            values, name = self.measure(measure, offer), score_column(measure, offer)
            columns[name] = as_arrow(values, np.isnan(values))
            if (error := self.errors.get(_error_column(measure, offer))) is not None:
                columns[_error_column(measure, offer)] = as_arrow(error, np.isnan(error))
        return pa.table(columns)


def read_scores(path: Path, policy: Policy) -> ScoreTable:
    """Read a score table; only the columns that the policy needs are read.

    Raises
    ------
    DataError
        When the file cannot be read; when a column is missing; when a user_id is missing or
        repeated, a cost negative, or a measure infinite or no number, with the number of such
        rows and the first few; when a range or a power stands on a column of text.
    """
    names = column_names(path)
    faults, wanted = _column_faults(names, policy, str(path)), _wanted(names, policy)
    if not wanted:
        raise DataError(*faults)
    return ScoreTable._of_rows(read_table(path, wanted), policy, faults, str(path))  # noqa: SLF001 - its own reader


def _wanted(names: tuple[str, ...], policy: Policy) -> list[str]:
    """Return those of a table's columns that the policy needs."""
    pairs = list(product(_measures(names, policy), policy.offer_ids))
    needed = {USER_ID, *policy.attribute_columns}
    needed.update(score_column(*pair) for pair in pairs)
    needed.update(_error_column(*pair) for pair in pairs)
    return [name for name in names if name in needed]


def _row_checks(table: pa.Table, where: str, faults: list[Fault]) -> RowChecks:
    """Return the checks of a table's rows, begun with the ids where there are any."""
    known = USER_ID in table.column_names
    ids = table.column(USER_ID) if known else pa.nulls(table.num_rows)
    checks = RowChecks(where=where, user_id=ids, faults=list(faults))
    if known:
        checks.unique_ids()
    return checks


def _column_faults(names: tuple[str, ...], policy: Policy, where: str) -> list[Fault]:
    needed = [score_column(*pair) for pair in product(_measures(names, policy), policy.offer_ids)]
    faults = missing_columns([USER_ID, *needed], names, where=where)
    return [*faults, *missing_attributes(policy, names, where=where)]


def _measures(names: Collection[str], policy: Policy) -> tuple[str, ...]:
    """Return the measures to read: those that the policy names, and spend where it is given."""
    named = [measure for measure in policy.measures if measure not in OFFER_MEASURES]
    if any(score_column(SPEND, offer) in names for offer in policy.offer_ids):
        named.append(SPEND)
    return tuple(dict.fromkeys(named))


def _error_column(measure: str, offer: str) -> str:
    return score_column(f"{measure}_se", offer)


def _numbers(table: pa.Table, policy: Policy, checks: RowChecks) -> dict[str, FloatColumn]:
    """Return the columns of measures and errors that the table has, checked."""
    found: dict[str, FloatColumn] = {}
    for measure, offer in product(_measures(table.column_names, policy), policy.offer_ids):
        column, error = score_column(measure, offer), _error_column(measure, offer)
        for name, positive in ((column, measure == COST), (error, True)):
            if name in table.column_names:
                found[name] = values = checks.numbers(name, table.column(name))
                if positive:
                    checks.refuse(values < 0, f"`{name}` is negative", expected="at least 0")
    return found


def _stacked(columns: Mapping[str, FloatColumn], measure: str, policy: Policy) -> FloatColumn:
    values = np.stack([columns[score_column(measure, offer)] for offer in policy.offer_ids])
    values.setflags(write=False)
    return values


def _check_total(columns: Mapping[str, FloatColumn], policy: Policy, checks: RowChecks) -> None:
    costs = [score_column(COST, offer) for offer in policy.offer_ids]
    dearest = np.zeros(1)
    for cost in costs:
        dearest = np.maximum(dearest, np.nan_to_num(columns.get(cost, dearest)))
    if dearest.sum(dtype=np.float64) > LARGEST_TOTAL:
        what = "the costs of all users are too large to be summed exactly"
        remedy = "use a larger currency unit"
        expected = f"less than {LARGEST_TOTAL:.2g} in total"
        checks.faults.append(Fault(checks.where, what, expected, remedy))


def _empty_offers(missing: Mapping[tuple[str, str], int], n: int, *, where: str) -> list[str]:
    return [
        f"{where}: `{score_column(*pair)}` is missing for every user, so nobody can get the offer"
        for pair, count in missing.items()
        if count == n
    ]
