"""The trials that a policy names, as one table, and what they say of users without an offer."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from incentive_engine.config.inputs import Data
from incentive_engine.data.sources import open_source
from incentive_engine.data.sources.source import Source
from incentive_engine.data.step_cache import StepCache
from incentive_engine.data.tables.types import common_type
from incentive_engine.data.trials.campaigns import TrialColumn
from incentive_engine.domain import USER_ID
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say

if TYPE_CHECKING:
    from incentive_engine.data.trials.trial import Trial


def trials_of(data: Data, *, cache: StepCache | None = None) -> Source | None:
    """Return the trial of a policy; of several, one table of the outcomes and features of all.

    What says how a row was drawn is kept where a table has it, and is null elsewhere. A
    table without a column `campaign` is a campaign by the name of its file; of several that are
    called alike, the second is numbered 2.

    Raises
    ------
    DataError
        When one cannot be read, or they disagree on what a column holds.
    """
    sources = [open_source(location, renames=data.columns.trial) for location in data.trials]
    if len(sources) < 2:
        return sources[0] if sources else None
    names = _names_of(sources)
    step = (cache or StepCache()).run(
        "trials",
        {
            f"trial {place}": f"{source.digest()} {name}"
            for place, (source, name) in enumerate(zip(sources, names, strict=True))
        },
        lambda folder: pq.write_table(_joined(sources, names), folder / "trial.parquet"),
    )
    return open_source(step.path / "trial.parquet")


def _names_of(sources: list[Source]) -> list[str]:
    """Return what the trials are called as campaigns, each by another name."""
    names: list[str] = []
    for source in sources:
        stem = Path(source.where).stem.removesuffix(".csv") or source.where  # of .csv.gz, too
        others = (f"{stem} {number}" for number in count(2))
        names.append(next(name for name in chain([stem], others) if name not in names))
    return names


def _joined(sources: list[Source], names: list[str]) -> pa.Table:
    tables = [_named(source, name) for source, name in zip(sources, names, strict=True)]
    columns = dict.fromkeys(name for table in tables for name in table.column_names)
    kinds = {}
    for name in columns:
        having = [table for table in tables if name in table.column_names]
        # columns of how a row's arm was drawn, which a table may have or leave out
        if len(having) < len(tables) and name not in (
            TrialColumn.PROPENSITY,
            TrialColumn.DECIDED_AT,
            TrialColumn.ARMS,
        ):
            continue
        kinds_given = [_kind(table, name) for table in having]
        kind = common_type(kinds_given)
        if kind is None and name == USER_ID:
            kind = pa.string()  # ids are numbers in a trial where none has a leading zero
        if kind is None:
            what = say("learn.disagree", column=name)
            raise DataError(Fault("data.trial", what, "the same type in each"))
        kinds[name] = kind
    return pa.concat_tables([_as_table(table, pa.schema(kinds)) for table in tables])


def _as_table(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the columns of a schema, null where it has none of a name."""
    columns = [
        table.column(name).cast(kind)
        if name in table.column_names and not pa.types.is_null(_kind(table, name))
        else pa.nulls(len(table), kind)
        for name, kind in zip(schema.names, schema.types, strict=True)
    ]
    return pa.table(columns, schema=schema)


def _kind(table: pa.Table, name: str) -> pa.DataType:
    """Return the type of a column; a column of gaps alone, read as numbers, may be anything."""
    column = table.column(name)
    return pa.null() if column.null_count == len(column) else column.type


def _named(source: Source, name: str) -> pa.Table:
    table = source.table()
    if TrialColumn.CAMPAIGN in table.column_names:
        return table
    return table.append_column(TrialColumn.CAMPAIGN, pa.repeat(pa.scalar(name), len(table)))


def baseline_file(valuation: Path) -> Path:
    """Return where the baseline of a trial stands, beside the table that values plans by it."""
    return valuation.with_name("baseline.json")


def baseline_of(trial: Trial) -> dict[str, float | None]:
    """Return what a trial says of users without an offer; None where it has no such rows."""
    return {"median_basket": _basket(trial), "conversion_rate": _rate(trial)}


def _basket(trial: Trial) -> float | None:
    """Return what the median buyer of a trial spends, currency units; None without buyers."""
    baskets = trial.spend[(trial.conversion > 0) & (trial.spend > 0)]
    return float(np.median(baskets)) if len(baskets) else None


def _rate(trial: Trial) -> float | None:
    """Return the share of buyers if nobody had got an offer; None without rows of control."""
    control = trial.arm == 0
    if not control.any():
        return None
    return float(np.average(trial.conversion[control], weights=1 / trial.propensity[control]))
