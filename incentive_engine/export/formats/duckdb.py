"""A DuckDB database with one table, `offers`."""

from incentive_engine.export.sheets import Format, Sheet, offer_columns


def duckdb_file() -> Format:
    """Return the format: a DuckDB database."""
    return Format(
        name="duckdb",
        about="a DuckDB database",
        sheets=(
            Sheet(
                name="offers",
                columns=offer_columns(),
                kind="duckdb",
            ),
        ),
    )
