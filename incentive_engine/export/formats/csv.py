"""Plain CSV: UTF-8, text in double quotes, so that ids stay text."""

from typing import Final

from incentive_engine.export.sheets import Format, Sheet, plain

COLUMNS: Final = plain("user_id", "offer_id", "face_value", "cost", "valid_from", "valid_to")

CSV: Final = Format(
    name="csv",
    about="plain CSV in parts of a million rows",
    sheets=(Sheet(name="offers", columns=COLUMNS, kind="text", rows_per_part=1_000_000),),
)

CSV_FILE: Final = Format(
    name="csv",
    about="one plain CSV file",
    sheets=(Sheet(name="offers", columns=COLUMNS, kind="text"),),
)
