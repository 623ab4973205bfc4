"""The tables of event logs, and how each names what the engine needs of it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from incentive_engine.config.history import Constant, EventLog
from incentive_engine.data.sources.source import Source


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
        return tuple(
            self.user if name == self.log.user else name for name in named_columns(self.log)
        )

    @property
    def user_type(self) -> pa.DataType:
        """The type of the users' ids."""
        return self.table.schema().field(self.user).type

    def zone(self, column: str, otherwise: str) -> str:
        """Return the zone of a column of times."""
        return "UTC" if column in self.zoned else otherwise


def named_columns(log: EventLog) -> tuple[str, ...]:
    """Return the columns of its table that a log names, each once."""
    kind = None if isinstance(log.kind, Constant) else log.kind
    named = (log.user, log.time, kind, log.category, log.amount, log.known, log.campaign)
    return tuple(dict.fromkeys(name for name in named if name is not None))
