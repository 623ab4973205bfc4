"""A DuckDB database with one table, `offers`."""

from typing import Final

from incentive_engine.export.sheets import Format, Sheet, plain

DUCKDB: Final = Format(
    name="duckdb",
    about="a DuckDB database",
    sheets=(
        Sheet(
            name="offers",
            columns=plain("user_id", "offer_id", "face_value", "cost", "valid_from", "valid_to"),
            kind="duckdb",
        ),
    ),
)
