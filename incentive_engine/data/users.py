"""The users to decide on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from incentive_engine import knobs
from incentive_engine.config.policy import Policy
from incentive_engine.data.columns.attributes import (
    missing_attributes,
    misused_attributes,
    reserved_attributes,
)
from incentive_engine.data.row_checks import RowChecks, as_id, missing_columns
from incentive_engine.data.sources.source import Source
from incentive_engine.data.tables.any_frame import arrow_table, names_in
from incentive_engine.data.tables.arrow import is_number
from incentive_engine.data.tables.frames import to_frame
from incentive_engine.data.trials.campaigns import RESERVED
from incentive_engine.domain import USER_ID, IntArray
from incentive_engine.errors import DataError, Fault


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UserTable:
    """One row per user.

    Attributes
    ----------
    user_id
        (n,) int64 or str, unique, in the order of the file.
    features
        n rows; every other column, attributes included.
    """

    user_id: pd.Series
    features: pd.DataFrame

    @classmethod
    def from_frame(cls, frame: object, policy: Policy, *, where: str = "users") -> UserTable:
        """Check a frame in memory as `open_users` checks a file.

        Parameters
        ----------
        frame
            Of pandas, polars or Arrow; an index is not looked at.

        Raises
        ------
        DataError
            With everything that is wrong with it, `where` in front.
        """
        faults = _column_faults(names_in(frame, where=where), policy, where)
        if faults:
            raise DataError(*faults)
        table = arrow_table(frame, where=where)
        checks = _checks(table.column(USER_ID), table.schema, policy, where)
        checks.done()
        features = [name for name in table.column_names if name not in RESERVED]
        ids = as_id(table.column(USER_ID)).to_pandas()
        return cls(user_id=ids, features=to_frame(table.select(features)))

    @property
    def n_users(self) -> int:
        """How many users there are."""
        return len(self.user_id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UserFile:
    """The users to decide on, in a table that is read some rows at a time.

    Attributes
    ----------
    source
        The table.
    user_id
        (n,) int64 or text, unique, in the order of the file.
    features
        Every other column, attributes included, to whether it holds numbers.
    gaps
        Feature to how many values it misses, where it misses any.
    """

    source: Source
    user_id: pa.Array
    features: Mapping[str, bool]
    gaps: Mapping[str, int]

    @property
    def n_users(self) -> int:
        """How many users there are."""
        return len(self.user_id)

    def blocks(self) -> Iterator[UserTable]:
        """Yield all users in the order of the file, as many as are scored at a time."""
        start = 0
        for table in self.source.blocks(self.features):
            for first in range(0, table.num_rows, knobs.MEMORY.scored_users):
                rows = table.slice(first, knobs.MEMORY.scored_users)
                ids = self.user_id.slice(start, rows.num_rows)
                yield UserTable(user_id=ids.to_pandas(), features=to_frame(self._alike(rows)))
                start += rows.num_rows

    def take(self, place: IntArray) -> UserTable:
        """Return the users at some places (m,), in the order of these; a place may recur."""
        # blocks come in the file's order: places are visited in it, and put back at the end
        order = np.argsort(place, kind="stable")
        ranked, start, tables = place[order], 0, []
        for table in self.source.blocks(self.features):
            inside = slice(*np.searchsorted(ranked, [start, start + table.num_rows]))
            tables.append(self._alike(table.take(ranked[inside] - start)))
            start += table.num_rows
        back = np.argsort(order, kind="stable")
        features = to_frame(pa.concat_tables(tables)).iloc[back].reset_index(drop=True)
        return UserTable(user_id=self.user_id.take(place).to_pandas(), features=features)

    def whole(self) -> UserTable:
        """Return all users."""
        return self.take(np.arange(self.n_users))

    def _alike(self, table: pa.Table) -> pa.Table:
        """Return some rows with the types that all together have: gaps make integers floats."""
        for position, field in enumerate(table.schema):
            if field.name in self.gaps and is_number(field.type):
                column = table.column(position)
                if not pa.types.is_floating(field.type):
                    table = table.set_column(position, field.name, column.cast(pa.float64()))
        return table


def open_users(source: Source, policy: Policy) -> UserFile:
    """Check the users of a campaign; only their ids stay in memory.

    Raises
    ------
    DataError
        When the file cannot be read, a user_id is missing or repeated, or a column that the
        policy names is missing or of the wrong kind.
    """
    where, names = source.where, source.columns
    lacking = _column_faults(names, policy, where)
    if lacking:
        raise DataError(*lacking)
    ids = source.table([USER_ID]).column(USER_ID)
    schema = source.schema()
    numeric = {field.name: is_number(field.type) for field in schema}
    _checks(ids, schema, policy, where).done()
    return UserFile(
        source=source,
        user_id=as_id(ids),
        features={name: numeric[name] for name in names if name not in RESERVED},
        gaps={name: gaps for name, gaps in source.gaps().items() if gaps},
    )


def _column_faults(names: tuple[str, ...], policy: Policy, where: str) -> list[Fault]:
    """Return what is wrong with the columns of a table of users."""
    lacking = missing_columns([USER_ID], names, where=where)
    lacking += missing_attributes(policy, names, where=where)
    return lacking + reserved_attributes(policy, RESERVED)


def _checks(ids: pa.ChunkedArray, schema: pa.Schema, policy: Policy, where: str) -> RowChecks:
    """Return the checks of ids and of the columns that the policy names."""
    checks = RowChecks(where=where, user_id=ids)
    checks.unique_ids()
    numeric = {field.name: is_number(field.type) for field in schema}
    checks.faults.extend(misused_attributes(policy, numeric, where=where))
    return checks
