"""Opens the tables of event logs."""

from __future__ import annotations

from incentive_engine.config.history import EventLog
from incentive_engine.data.row_checks import missing_columns
from incentive_engine.data.sources import open_source
from incentive_engine.domain import USER_ID
from incentive_engine.errors import DataError
from incentive_engine.features.logs.source import LogSource, named_columns


def open_log(log: EventLog) -> LogSource:
    """Return the table of a log.

    Raises
    ------
    DataError
        When it cannot be read, or lacks a column that the log names.
    """
    table, user = open_source(log.source), log.user
    faults = missing_columns(named_columns(log), table.columns, where=table.where)
    if faults:
        raise DataError(*faults)
    if USER_ID not in table.columns:
        # under this name, leading zeros of ids stay in CSV files too
        table, user = open_source(log.source, renames={user: USER_ID}), USER_ID
    return LogSource(log=log, table=table, user=user, zoned=table.zoned())
