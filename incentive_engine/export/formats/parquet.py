"""Parquet: as a directory partitioned by offer, or as one file."""

from incentive_engine.export.sheets import Format, Sheet, offer_columns, plain


def parquet_parts() -> Format:
    """Return the format: Parquet, partitioned by offer."""
    return Format(
        name="parquet",
        about="Parquet, partitioned by offer",
        sheets=(
            Sheet(
                name="offer_id={offer}/part",
                columns=plain("user_id", "face_value", "cost", "valid_from", "valid_to"),
                kind="parquet",
                rows_per_part=5_000_000,
            ),
        ),
    )


def parquet_file() -> Format:
    """Return the format: one Parquet file."""
    return Format(
        name="parquet",
        about="one Parquet file",
        sheets=(
            Sheet(
                name="offers",
                columns=offer_columns(),
                kind="parquet",
            ),
        ),
    )
