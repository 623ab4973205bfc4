"""The tables of event logs, and how each names what the engine needs of it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from incentive_engine.config.history import Constant, EventLog
from incentive_engine.data.row_checks import missing_columns
from incentive_engine.data.sources import open_source
from incentive_engine.data.sources.source import Source
from incentive_engine.domain import USER_ID
from incentive_engine.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogSource:
    """One log of a policy, and its table.

    Attributes
    ----------
    user
        The table's column of users' ids.
    zoned
        The columns of times that name their zone; they are read as UTC.
    """

    log: EventLog
    table: Source
    user: str
    zoned: frozenset[str]

    @property
    def where(self) -> str:
        """How messages call it."""
        return self.table.where

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the log names, each once."""
        return tuple(self.user if name == self.log.user else name for name in _named(self.log))

    @property
    def user_type(self) -> pa.DataType:
        """The type of the users' ids."""
        return self.table.schema().field(self.user).type

    def zone(self, column: str, otherwise: str) -> str:
        """Return the zone of a column of times."""
        return "UTC" if column in self.zoned else otherwise


def open_log(log: EventLog) -> LogSource:
    """Return the table of a log.

    Raises
    ------
    DataError
        When it cannot be read, or lacks a column that the log names.
    """
    table, user = open_source(log.source), log.user
    faults = missing_columns(_named(log), table.columns, where=table.where)
    if faults:
        raise DataError(*faults)
    if USER_ID not in table.columns:
        # under this name, leading zeros of ids stay in CSV files too
        table, user = open_source(log.source, renames={user: USER_ID}), USER_ID
    return LogSource(log=log, table=table, user=user, zoned=table.zoned())


def _named(log: EventLog) -> tuple[str, ...]:
    kind = None if isinstance(log.kind, Constant) else log.kind
    named = (log.user, log.time, kind, log.category, log.amount, log.known, log.campaign)
    return tuple(dict.fromkeys(name for name in named if name is not None))
