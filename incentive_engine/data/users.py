"""The users to decide on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from incentive_engine.config.schema import Policy
from incentive_engine.data.attributes import (
    missing_attributes,
    misused_attributes,
    reserved_attributes,
)
from incentive_engine.data.columns import is_number
from incentive_engine.data.files import column_names, read_table
from incentive_engine.data.formats import USER_ID
from incentive_engine.data.frames import to_frame
from incentive_engine.data.rows import RowChecks, as_id, missing_columns
from incentive_engine.domain import CONVERSION, COST, SPEND
from incentive_engine.errors import DataError

OFFER: Final = "offer"
PROPENSITY: Final = "propensity"
OUTCOMES: Final = (CONVERSION, SPEND, COST)
RESERVED: Final = frozenset({USER_ID, OFFER, PROPENSITY, *OUTCOMES})
"""Columns of a trial that say what happened; they are never features."""


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

    @property
    def n_users(self) -> int:
        """How many users there are."""
        return len(self.user_id)


def read_users(path: Path, policy: Policy) -> UserTable:
    """Read the users of a campaign.

    Raises
    ------
    DataError
        When the file cannot be read, a user_id is missing or repeated, or a column that the
        policy names is missing or of the wrong kind.
    """
    where = str(path)
    names = column_names(path)
    lacking = missing_columns([USER_ID], names, where=where)
    lacking += missing_attributes(policy, names, where=where)
    lacking += reserved_attributes(policy, RESERVED)
    if lacking:
        raise DataError(*lacking)
    table = read_table(path)
    checks = RowChecks(where=where, user_id=table.column(USER_ID))
    checks.unique_ids()
    numeric = {field.name: is_number(field.type) for field in table.schema}
    checks.faults.extend(misused_attributes(policy, numeric, where=where))
    checks.done()
    features = to_frame(table.select([name for name in names if name not in RESERVED]))
    return UserTable(user_id=as_id(table.column(USER_ID)).to_pandas(), features=features)
