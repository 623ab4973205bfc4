"""The trials that a policy names, as one table."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from incentive_engine.config.inputs import Data
from incentive_engine.data.campaigns import CAMPAIGN
from incentive_engine.data.sources import Source, open_source
from incentive_engine.data.step_cache import StepCache
from incentive_engine.data.tables.types import common_type
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say

FILE: Final = "trial.parquet"


def trials_of(data: Data, *, cache: StepCache | None = None) -> Source | None:
    """Return the trial of a policy; of several, one table of the columns that all have.

    A table without a column `campaign` is a campaign by the name of its file.

    Raises
    ------
    DataError
        When one cannot be read, or they disagree on what a column holds.
    """
    sources = [open_source(location, renames=data.columns.trial) for location in data.trials]
    if len(sources) < 2:
        return sources[0] if sources else None
    made = (cache or StepCache()).run(
        "trials",
        {f"trial {place}": source.digest() for place, source in enumerate(sources)},
        lambda folder: pq.write_table(_joined(sources), folder / FILE),
    )
    return open_source(made.path / FILE)


def _joined(sources: list[Source]) -> pa.Table:
    tables = [_named(source) for source in sources]
    first = tables[0]
    shared = [
        name for name in first.column_names if all(name in t.column_names for t in tables[1:])
    ]
    kinds = {}
    for name in shared:
        kind = common_type([table.schema.field(name).type for table in tables])
        if kind is None:
            what = say("learn.disagree", column=name)
            raise DataError(Fault("data.trial", what, "the same type in each"))
        kinds[name] = kind
    schema = pa.schema(kinds)
    return pa.concat_tables([table.select(shared).cast(schema) for table in tables])


def _named(source: Source) -> pa.Table:
    table = source.table()
    if CAMPAIGN in table.column_names:
        return table
    name = Path(source.where).stem or source.where
    return table.append_column(CAMPAIGN, pa.repeat(pa.scalar(name), len(table)))
