"""Parquet: as a directory partitioned by offer, or as one file."""

from typing import Final

from incentive_engine.export.sheets import Format, Sheet, plain

PARQUET: Final = Format(
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

PARQUET_FILE: Final = Format(
    name="parquet",
    about="one Parquet file",
    sheets=(
        Sheet(
            name="offers",
            columns=plain("user_id", "offer_id", "face_value", "cost", "valid_from", "valid_to"),
            kind="parquet",
        ),
    ),
)
