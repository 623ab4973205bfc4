"""The formats that offers leave in; each file says what one of them looks like."""

from typing import Final

from incentive_engine.errors import ConfigError, Fault, nearest

from ..sheets import Format
from .braze import BRAZE
from .csv import CSV, CSV_FILE
from .duckdb import DUCKDB
from .eagle_eye import EAGLE_EYE
from .excel import EXCEL
from .parquet import PARQUET, PARQUET_FILE
from .talon_one import TALON_ONE

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
            Fault("--preset", f"`{name}` is not known", remedy=nearest(name, PRESETS))
        )
    return PRESETS[name]


__all__ = ["FILES", "PRESETS", "preset"]
