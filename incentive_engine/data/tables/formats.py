"""How tables are told by their names, and what stands in every one of them."""

from __future__ import annotations

from typing import Final

USER_ID: Final = "user_id"
CSV: Final = ".csv"
GZIP: Final = ".csv.gz"
PARQUET: Final = frozenset({".parquet", ".pq"})
"""How the names of Parquet files end."""
