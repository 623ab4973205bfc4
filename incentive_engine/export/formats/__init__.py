"""The formats that offers leave in; each file says what one of them looks like."""

from typing import Final

from incentive_engine.errors import ConfigError, Fault, nearest
from incentive_engine.export.formats.braze import braze
from incentive_engine.export.formats.csv import csv_file, csv_parts
from incentive_engine.export.formats.duckdb import duckdb_file
from incentive_engine.export.formats.eagle_eye import eagle_eye
from incentive_engine.export.formats.excel import excel
from incentive_engine.export.formats.parquet import parquet_file, parquet_parts
from incentive_engine.export.formats.talon_one import talon_one
from incentive_engine.export.sheets import Format
from incentive_engine.language import say

PRESETS: Final = {
    form.name: form
    for form in (csv_parts(), excel(), parquet_parts(), talon_one(), eagle_eye(), braze())
}
"""By the name that `--preset` takes; all of them write a directory."""


def of_suffix() -> dict[str, Format]:
    """Return the formats of a single file, each by the suffix that asks for it."""
    parquet = parquet_file()
    return {".csv": csv_file(), ".parquet": parquet, ".pq": parquet, ".duckdb": duckdb_file()}


def preset(name: str) -> Format:
    """Return a format by its name.

    Raises
    ------
    ConfigError
        When there is none.
    """
    if name not in PRESETS:
        raise ConfigError(
            Fault(
                "--preset", say("`{name}` is not known", name=name), remedy=nearest(name, PRESETS)
            )
        )
    return PRESETS[name]


__all__ = ["PRESETS", "of_suffix", "preset"]
