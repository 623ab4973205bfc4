"""Delta tables: the files of their newest version, read where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from incentive_engine.data.sources.parquet_files import ParquetPart, ParquetParts
from incentive_engine.errors import DataError, Fault, SetupError
from incentive_engine.language import say


def is_delta(folder: Path) -> bool:
    """Return whether a folder is a Delta table."""
    return (folder / "_delta_log").is_dir()


def delta_parts(folder: Path, *, where: str) -> ParquetParts:
    """Return the files of a table's newest version.

    Raises
    ------
    DataError
        When its log is damaged, or it asks something of a reader that this one does not give.
    SetupError
        When the library for it is not installed.
    """
    try:
        import deltalake
    except ImportError as error:
        remedy = "pip install 'incentive-engine[delta]'"
        raise SetupError(Fault("deltalake", "is not installed", remedy=remedy)) from error
    try:
        table = deltalake.DeltaTable(folder)
        _refuse_features(table, where)
        files = pa.table(table.get_add_actions(flatten=True)).to_pylist()
        schema = pa.schema(table.schema().to_arrow())
    except deltalake.exceptions.DeltaError:
        what, remedy = "the log of the Delta table cannot be read", "write or copy it anew"
        raise DataError(Fault(where, what, "a Delta table", remedy)) from None
    if not files:
        raise DataError(Fault(where, "has no rows", "one row per user", "fill it first"))
    partition = "partition."
    parts = [
        ParquetPart(
            # the log of the table writes paths as URLs do
            path=folder / unquote(file["path"]),
            constants={
                name.removeprefix(partition): value
                for name, value in file.items()
                if name.startswith(partition)
            },
        )
        for file in sorted(files, key=lambda file: str(file["path"]))
    ]
    return ParquetParts.of(parts, where=where, schema=schema)


def _refuse_features(table: Any, where: str) -> None:  # noqa: ANN401 - the library is optional
    # what newer tables may ask of a reader and this one gives
    asked = set(table.protocol().reader_features or ()) - {
        "timestampNtz",
        "v2Checkpoint",
        "vacuumProtocolCheck",
    }
    remedies = {
        "deletionVectors": "remove them with REORG TABLE … APPLY (PURGE)",
        "columnMapping": "write a copy without column mapping",
    }
    faults = [
        Fault(
            where,
            say("the Delta table uses `{feature}`, which is not read here", feature=feature),
            "a table without it",
            remedies.get(feature, "write a copy without it"),
        )
        for feature in sorted(asked)
    ]
    if faults:
        raise DataError(*faults)
