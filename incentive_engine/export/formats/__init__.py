"""The formats that offers leave in; each file says what one of them looks like."""

from typing import Final

from incentive_engine.errors import ConfigError, Fault, nearest
from incentive_engine.export.formats.braze import BRAZE
from incentive_engine.export.formats.csv import CSV, CSV_FILE
from incentive_engine.export.formats.duckdb import DUCKDB
from incentive_engine.export.formats.eagle_eye import EAGLE_EYE
from incentive_engine.export.formats.excel import EXCEL
from incentive_engine.export.formats.parquet import PARQUET, PARQUET_FILE
from incentive_engine.export.formats.talon_one import TALON_ONE
from incentive_engine.export.sheets import Format
from incentive_engine.language import say

PRESETS: Final = {form.name: form for form in (CSV, EXCEL, PARQUET, TALON_ONE, EAGLE_EYE, BRAZE)}
"""By the name that `--preset` takes; all of them write a directory."""

FILES: Final = {".csv": CSV_FILE, ".parquet": PARQUET_FILE, ".pq": PARQUET_FILE, ".duckdb": DUCKDB}
"""By the suffix of a single file."""


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


__all__ = ["FILES", "PRESETS", "preset"]
