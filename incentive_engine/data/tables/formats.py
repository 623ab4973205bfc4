"""How tables are told by their names."""

from __future__ import annotations

from pathlib import Path


def is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet by its name."""
    return path.suffix.lower() in {".parquet", ".pq"}


def is_table(name: str) -> bool:
    """Return whether a file is CSV or Parquet by its name."""
    return name.lower().endswith((".csv", ".csv.gz", ".parquet", ".pq"))


def is_csv(path: Path) -> bool:
    """Return whether a file is CSV by its name, compressed or not."""
    return not is_parquet(path)


def is_gzip(path: Path) -> bool:
    """Return whether a file is compressed CSV by its name."""
    return path.name.lower().endswith(".csv.gz")
