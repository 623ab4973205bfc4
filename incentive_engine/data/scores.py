"""Score tables: what each offer is expected to change for each user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

import numpy as np
import pandas as pd

from incentive_engine.config.schema import Policy
from incentive_engine.data.attributes import (
    missing_attributes,
    misused_attributes,
    plain_attributes,
    unseen_values,
)
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
    FloatArray,
    score_column,
)
from incentive_engine.errors import DataError, Fault

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
        (n,) int64 or str, unique, in the order of the file.
    attributes
        n rows; exactly the columns that the policy names.
    columns
        n rows of float64; ``<measure>__<offer>`` and ``<measure>_se__<offer>``, NaN is missing.
    faces
        Face value of each offer, currency units.
    missing_pairs
        (measure, offer) to the number of users for whom it is NaN, where there are any.
    warnings
        What a planner should know and what does not stop the run.
    """

    offers: tuple[str, ...]
    user_id: pd.Series
    attributes: pd.DataFrame
    columns: pd.DataFrame
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
        return cls._of_rows(frame, policy, _column_faults(_names(frame), policy, where), where)

    @classmethod
    def _of_rows(
        cls, frame: pd.DataFrame, policy: Policy, faults: list[Fault], where: str
    ) -> Self:
        """Check the rows of the columns that there are, and raise all faults at once."""
        names = _names(frame)
        if frame.empty:
            raise DataError(*faults, Fault(where, "has no rows", "one row per user"))
        checks = _row_checks(frame, where, faults)
        attributes = plain_attributes(policy, frame)
        checks.faults.extend(misused_attributes(policy, attributes, where=where))
        measures = _measures(names, policy)
        columns = {
            column: _checked(frame[column], checks, positive=measure == COST or is_error)
            for column, measure, _, is_error in _columns(names, policy)
            if column in frame
        }
        costs = [score_column(COST, offer) for offer in policy.offer_ids]
        _check_total([columns[cost] for cost in costs if cost in columns], checks)
        checks.done()
        missing = {
            (measure, offer): int(count)
            for measure in measures
            for offer in policy.offer_ids
            if (count := np.isnan(columns[score_column(measure, offer)]).sum())
        }
        return cls(
            offers=policy.offer_ids,
            user_id=as_id(frame[USER_ID]),
            attributes=attributes,
            columns=_as_floats(frame, columns),
            faces=tuple(offer.face_value for offer in policy.offers),
            missing_pairs=MappingProxyType(missing),
            warnings=(
                *unseen_values(policy, attributes, where=where),
                *_empty_offers(missing, len(frame), where=where),
            ),
        )

    @property
    def n_users(self) -> int:
        """How many users there are."""
        return len(self.user_id)

    def has(self, measure: str) -> bool:
        """Return whether `measure` is known for the offers."""
        return measure in OFFER_MEASURES or score_column(measure, self.offers[0]) in self.columns

    def measure(self, measure: str, offer: str) -> FloatArray:
        """Return (n,) float64, read-only: a measure of one offer, NaN where it is missing.

        Raises
        ------
        KeyError
            When the table has no such measure.
        """
        if measure in OFFER_MEASURES:
            known = {FACE: self.faces[self.offers.index(offer)], ISSUED: 1.0}
            return np.broadcast_to(np.float64(known[measure]), (self.n_users,))
        return self._column(score_column(measure, offer))

    def standard_error(self, measure: str, offer: str) -> FloatArray | None:
        """Return (n,) float64 in the measure's unit, or None where the table has none."""
        column = score_column(f"{measure}_se", offer)
        return self._column(column) if column in self.columns else None

    def _column(self, column: str) -> FloatArray:
        values: FloatArray = self.columns[column].to_numpy(dtype=np.float64).view()
        values.setflags(write=False)
        return values


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
    faults = _column_faults(names, policy, str(path))
    wanted = {USER_ID, *policy.attribute_columns, *(name for name, *_ in _columns(names, policy))}
    if not wanted & set(names):
        raise DataError(*faults)
    return ScoreTable._of_rows(read_table(path, wanted), policy, faults, str(path))  # noqa: SLF001 - its own reader


def _names(frame: pd.DataFrame) -> tuple[str, ...]:
    return tuple(map(str, frame.columns))


def _row_checks(frame: pd.DataFrame, where: str, faults: list[Fault]) -> RowChecks:
    """Return the checks of a table's rows, begun with the ids where there are any."""
    known = USER_ID in frame
    ids = frame[USER_ID] if known else pd.Series([None] * len(frame), dtype="object")
    checks = RowChecks(where=where, user_id=ids, faults=list(faults))
    if known:
        checks.unique_ids()
    return checks


def _column_faults(names: tuple[str, ...], policy: Policy, where: str) -> list[Fault]:
    needed = [
        score_column(measure, offer)
        for measure in _measures(names, policy)
        for offer in policy.offer_ids
    ]
    faults = missing_columns([USER_ID, *needed], names, where=where)
    return [*faults, *missing_attributes(policy, names, where=where)]


def _measures(names: tuple[str, ...], policy: Policy) -> tuple[str, ...]:
    """Return the measures to read: those that the policy names, and spend where it is given."""
    named = [measure for measure in policy.measures if measure not in OFFER_MEASURES]
    if any(score_column(SPEND, offer) in names for offer in policy.offer_ids):
        named.append(SPEND)
    return tuple(dict.fromkeys(named))


def _columns(names: tuple[str, ...], policy: Policy) -> Iterator[tuple[str, str, str, bool]]:
    """Yield (column, measure, offer, whether it is a standard error) of what is to be read."""
    for measure in _measures(names, policy):
        for offer in policy.offer_ids:
            yield score_column(measure, offer), measure, offer, False
            error = score_column(f"{measure}_se", offer)
            if error in names:
                yield error, measure, offer, True


def _checked(column: pd.Series, checks: RowChecks, *, positive: bool) -> FloatArray:
    values = checks.numbers(column)
    if positive:
        checks.refuse(values < 0, f"`{column.name}` is negative", expected="at least 0")
    return values


def _as_floats(frame: pd.DataFrame, columns: Mapping[str, FloatArray]) -> pd.DataFrame:
    """Return columns as float64, shared with `frame` until somebody changes it."""
    shared = frame[list(columns)].reset_index(drop=True)
    converted = {name: columns[name] for name in columns if frame[name].dtype != np.float64}
    return shared.assign(**converted)


def _check_total(costs: list[FloatArray], checks: RowChecks) -> None:
    dearest = np.nan_to_num(np.column_stack(costs)).max(axis=1) if costs else np.zeros(1)
    if dearest.sum() > LARGEST_TOTAL:
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
