"""Writes what `whatif` found: complete or absent, with digests of all that came out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from incentive_engine.data.tables.files import atomic_directory
from incentive_engine.run.directory import engine, outputs_of, versions, write_json
from incentive_engine.run.format import RunFile
from incentive_engine.run.statements import Stated


def write_study(
    directory: Path, *, tables: Mapping[str, pd.DataFrame], page: str, record: Mapping[str, Any]
) -> None:
    """Write a complete directory, or leave nothing.

    Parameters
    ----------
    tables
        File name, without `.csv`, to table.
    record
        What the manifest says beside versions and the digests of the outputs.

    Raises
    ------
    DataError
        When the directory exists or cannot be written.
    """
    with atomic_directory(directory) as inside:
        for name, table in tables.items():
            # the same bytes on every system
            table.to_csv(inside / f"{name}.csv", index=False, lineterminator="\n")
        (inside / "whatif.html").write_text(page, encoding="utf-8", newline="\n")
        manifest = {
            **engine(),
            **{key: _plain(entry) for key, entry in record.items()},
            "outputs": _plain(outputs_of(inside)),
            "versions": versions(),
        }
        write_json(inside / RunFile.MANIFEST, manifest)


def _plain(part: Any) -> Any:  # noqa: ANN401 - any JSON, with input files in it
    if isinstance(part, Stated):
        return part.model_dump(mode="json")
    if isinstance(part, Mapping):
        return {key: _plain(inner) for key, inner in part.items()}
    return [_plain(inner) for inner in part] if isinstance(part, list) else part
