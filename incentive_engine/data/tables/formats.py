"""How tables are told by their names, and what stands in every one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

USER_ID: Final = "user_id"
CSV: Final = ".csv"
GZIP: Final = ".csv.gz"
PARQUET: Final = frozenset({".parquet", ".pq"})
"""How the names of Parquet files end."""


def is_csv(path: Path) -> bool:
    """Return whether a file is CSV by its name, compressed or not."""
    return path.suffix.lower() not in PARQUET


def is_gzip(path: Path) -> bool:
    """Return whether a file is compressed CSV by its name."""
    return path.name.lower().endswith(GZIP)
