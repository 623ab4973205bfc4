"""What was known of users before a campaign: it narrows what the campaign is measured to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from incentive_engine.config.access.location import Location
from incentive_engine.data.columns.frame_rows import places
from incentive_engine.data.row_checks import RowChecks, as_id, missing_columns
from incentive_engine.data.sources import open_source
from incentive_engine.data.tables.arrow import is_number, numbers
from incentive_engine.domain import USER_ID
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.stats.holdout_effect import filled


def read_covariates(table: Path | Location, user_id: pa.Array) -> npt.NDArray[np.float32]:
    """Return (n, p) float32 the numeric columns of a table, in the order of n users.

    What is missing counts as the column's mean. Nothing in the table may come from the campaign:
    what offers have changed would be taken off their own effect.

    Raises
    ------
    DataError
        When the table cannot be read, has no numeric column, a user twice, or none of the users.
    """
    source = open_source(table)
    if lacking := missing_columns([USER_ID], source.columns, where=source.where):
        raise DataError(*lacking)
    content = source.table(source.columns)
    checks = RowChecks(where=source.where, user_id=content.column(USER_ID))
    checks.unique_ids()
    checks.done()
    names = [
        name
        for name in content.column_names
        if name != USER_ID and is_number(content.schema.field(name).type)
    ]
    if not names:
        without = "has no numeric column besides user_id"
        raise DataError(Fault(source.where, without, "such as spend of the months before"))
    place = places(as_id(content.column(USER_ID)).to_pandas(), user_id.to_pandas())
    if not (place >= 0).any():
        what = say("none of its {rows:,} rows is about a user of the run", rows=content.num_rows)
        raise DataError(Fault(source.where, what, say("ids such as {id}", id=user_id[0].as_py())))
    columns = np.full((len(user_id), len(names)), np.nan, dtype=np.float32)
    for number, name in enumerate(names):
        column = numbers(content.column(name))
        columns[place[place >= 0], number] = column[place >= 0]
    return filled(columns)
