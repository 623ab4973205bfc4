"""Score tables: what each offer is expected to change for each user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa

from incentive_engine.config.policy import Policy
from incentive_engine.data.columns.attributes import (
    missing_attributes,
    misused_attributes,
    named_attributes,
    unseen_values,
)
from incentive_engine.data.columns.measures import (
    error_column,
    fill_measures,
    measures_in,
    number_columns,
)
from incentive_engine.data.row_checks import RowChecks, as_id, missing_columns
from incentive_engine.data.sources.source import Source
from incentive_engine.data.tables.any_frame import arrow_table, names_in
from incentive_engine.data.tables.arrow import FloatColumn, as_arrow, is_number
from incentive_engine.data.tables.mapped_pages import let_go
from incentive_engine.data.trials.holdout import draw_holdout
from incentive_engine.domain import (
    CONVERSION,
    COST,
    FACE,
    ISSUED,
    MICROS,
    OFFER_MEASURES,
    USER_ID,
    BoolArray,
    score_column,
    to_micros,
)
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import Message, say

if TYPE_CHECKING:
    import pandas as pd


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
    warnings: tuple[Message, ...]

    @classmethod
    def from_frame(cls, frame: object, policy: Policy, *, where: str = "scores") -> Self:
        """Check a frame in memory as `read_scores` checks a file.

        Parameters
        ----------
        frame
            Of pandas, polars or Arrow; an index is not looked at.

        Raises
        ------
        DataError
            With everything that is wrong with it, `where` in front.
        """
        names = names_in(frame, where=where)
        faults = _column_faults(names, policy, where)
        wanted = score_columns(names, policy)
        if not wanted:
            raise DataError(*faults)
        table = arrow_table(frame, where=where, columns=wanted)
        return cls._of(table, [table], policy, faults, where)

    @classmethod
    def _of(
        cls,
        users: pa.Table,
        blocks: Iterable[pa.Table],
        policy: Policy,
        faults: list[Fault],
        where: str,
    ) -> Self:
        """Check the rows of the columns that there are, and raise all faults at once.

        Parameters
        ----------
        users
            All rows: ids and attributes.
        blocks
            The same rows in parts: measures.
        """
        if users.num_rows == 0:
            raise DataError(*faults, Fault(where, "has no rows", "one row per user"))
        checks = _row_checks(users, where, faults)
        numeric = {field.name: is_number(field.type) for field in users.schema}
        checks.faults.extend(misused_attributes(policy, numeric, where=where))
        measures = fill_measures(blocks, policy, checks, rows=users.num_rows)
        checks.done()
        attributes = named_attributes(policy, users)
        return cls(
            offers=policy.offer_ids,
            user_id=as_id(users.column(USER_ID)),
            attributes=attributes,
            measures=MappingProxyType(dict(measures.matrices)),
            errors=MappingProxyType(dict(measures.errors)),
            faces=tuple(offer.face_value for offer in policy.offers),
            missing_pairs=MappingProxyType(dict(measures.missing)),
            warnings=(
                *unseen_values(policy, attributes, where=where),
                *_empty_offers(measures.missing, users.num_rows, where=where),
                *_large_effects(measures.matrices, policy.offer_ids, where=where),
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
        place = self.offers.index(offer)
        if measure in OFFER_MEASURES:
            of_offer = {FACE: self.faces[place], ISSUED: 1.0}
            return np.broadcast_to(np.float64(of_offer[measure]), (self.n_users,))
        values: FloatColumn = self.measures[measure][place]
        values.setflags(write=False)
        return values

    def with_costs(self, factor: float) -> Self:
        """Return the table with all costs times a factor, rounded up to whole millionths."""
        if factor == 1:
            return self
        return replace(
            self,
            measures=MappingProxyType(
                {**self.measures, COST: scaled_costs(self.measures[COST], factor)}
            ),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a pandas frame, in the columns of a file."""
        from incentive_engine.data.tables.frames import to_frame

        return to_frame(self._block(slice(0, self.n_users)))

    def __repr__(self) -> str:
        measures = ", ".join(self.measures)
        return f"ScoreTable({self.n_users:,} users × {len(self.offers)} offers; {measures})"

    def to_blocks(self, size: int) -> Iterator[pa.Table]:
        """Yield the rows of a file: ids, attributes, measures with their errors."""
        for start in range(0, self.n_users, size):
            yield self._block(slice(start, min(start + size, self.n_users)))
            let_go()

    def _block(self, rows: slice) -> pa.Table:
        columns = {USER_ID: self.user_id[rows]}
        for name in (one for one in self.attributes.column_names if one != USER_ID):
            columns[name] = self.attributes.column(name).slice(rows.start, rows.stop - rows.start)
        for measure, offer in product(self.measures, self.offers):
            values, error = self.measure(measure, offer)[rows], error_column(measure, offer)
            columns[score_column(measure, offer)] = as_arrow(values, np.isnan(values))
            if error in self.errors:
                values = self.errors[error][rows]
                columns[error] = as_arrow(values, np.isnan(values))
        return pa.table(columns)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of a file's columns."""
        return tuple(self._block(slice(0, 1)).column_names)


def read_scores(source: Source, policy: Policy) -> ScoreTable:
    """Read a score table; only the columns that the policy needs are read.

    Raises
    ------
    DataError
        When the file cannot be read; when a column is missing; when a user_id is missing or
        repeated, a cost negative, or a measure infinite or no number, with the number of such
        rows and the first few; when a range or a power stands on a column of text.
    """
    names, where = source.columns, source.where
    faults = _column_faults(names, policy, where)
    if not score_columns(names, policy):
        raise DataError(*faults)
    present = [name for name in (USER_ID, *policy.attribute_columns) if name in names]
    # a table without ids has rows all the same, and the measures in them are checked too
    users = source.table(present or score_columns(names, policy))
    blocks = source.blocks(number_columns(names, policy))
    return ScoreTable._of(users, blocks, policy, faults, where)  # noqa: SLF001 - its own reader


def read_scored_users(source: Source, policy: Policy) -> ScoreTable:
    """Read who is scored, with the columns that the policy names, and none of the measures.

    Raises
    ------
    DataError
        As `read_scores`, but for what is wrong with measures.
    """
    names, where = source.columns, source.where
    if faults := _column_faults(names, policy, where):
        raise DataError(*faults)
    users = source.table([USER_ID, *policy.attribute_columns])
    table = ScoreTable._of(users, (), policy, [], where)  # noqa: SLF001 - its own reader
    nothing = np.empty((len(policy.offer_ids), 0))
    unread = dict.fromkeys(measures_in(names, policy), nothing)
    return replace(table, measures=MappingProxyType(unread))


def read_score_rows(scores: Source, policy: Policy, rows: slice) -> ScoreTable:
    """Read some rows of a score table.

    Raises
    ------
    DataError
        As `read_scores`; rows count from the first of these, which messages name.
    """
    table = scores.part(score_columns(scores.columns, policy), rows)
    where = say("{where} after row {first}", where=scores.where, first=rows.start)
    return ScoreTable.from_frame(table, policy, where=str(where))


def score_columns(names: tuple[str, ...], policy: Policy) -> list[str]:
    """Return those of a score table's columns that the policy needs, in their order."""
    needed = {USER_ID, *policy.attribute_columns, *number_columns(names, policy)}
    return [name for name in names if name in needed]


def _row_checks(table: pa.Table, where: str, faults: list[Fault]) -> RowChecks:
    """Return the checks of a table's rows, begun with the ids where there are any."""
    has_ids = USER_ID in table.column_names
    ids = table.column(USER_ID) if has_ids else pa.nulls(table.num_rows)
    checks = RowChecks(where=where, user_id=ids, faults=list(faults))
    if has_ids:
        checks.unique_ids()
    return checks


def _column_faults(names: tuple[str, ...], policy: Policy, where: str) -> list[Fault]:
    pairs = product(measures_in(names, policy), policy.offer_ids)
    needed = [score_column(*pair) for pair in pairs]
    faults = missing_columns([USER_ID, *needed], names, where=where)
    return [*faults, *missing_attributes(policy, names, where=where)]


def _empty_offers(missing: Mapping[tuple[str, str], int], n: int, *, where: str) -> list[Message]:
    return [
        say("scores.empty_offer", where=where, column=score_column(*pair))
        for pair, count in missing.items()
        if count == n
    ]


def _large_effects(
    matrices: Mapping[str, FloatColumn], offers: tuple[str, ...], *, where: str
) -> list[Message]:
    """Return a warning per offer whose conversions are no probabilities."""
    if CONVERSION not in matrices:
        return []
    counts = [int(np.count_nonzero(row > 1)) for row in matrices[CONVERSION]]
    return [
        say("doubt.large_effect", where=where, column=score_column(CONVERSION, offer), rows=count)
        for offer, count in zip(offers, counts, strict=True)
        if count
    ]


def scaled_costs(cost: FloatColumn, factor: float) -> FloatColumn:
    """Return costs of any shape times a factor, rounded up to whole millionths, as float64."""
    is_known = np.isfinite(cost)
    micros = to_micros(np.where(is_known, cost, 0.0).astype(np.float64) * factor)
    return np.where(is_known, micros / MICROS, np.nan)


def holdout_of(policy: Policy, table: ScoreTable) -> BoolArray:
    """Return who never gets an offer, (n,) bool."""
    strata = table.attributes.select(policy.holdout_strata)
    return draw_holdout(table.user_id, strata, share=policy.holdout or 0.0, seed=policy.seed)
