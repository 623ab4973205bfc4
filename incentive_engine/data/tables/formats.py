"""How tables are told by their names, and what stands in every one of them."""

from __future__ import annotations

from typing import Final

from pyarrow.csv import ConvertOptions

USER_ID: Final = "user_id"
CANONICAL_INTEGER: Final = r"^(0|-?[1-9][0-9]{0,17})$"
"""An id that survives the way to an integer and back; one with a leading zero does not."""
MISSING_NUMBERS: Final = tuple(ConvertOptions().null_values)
"""Words that mean a missing number in CSV, such as ``NaN`` and ``NA``; as text they stay."""
CSV: Final = ".csv"
GZIP: Final = ".csv.gz"
PARQUET: Final = frozenset({".parquet", ".pq"})
"""How the names of Parquet files end."""
PANDAS_INDEX: Final = "__index_level_"
"""How pandas calls an index in a Parquet file; in a CSV file it has no name."""
