"""CSV that Excel opens without damage.

Excel drops leading zeros and digits beyond the fifteenth, makes dates of ids such as OCT20, runs
cells that begin with = + - @, and shows 1,048,576 rows at most.
"""

from typing import Final

from incentive_engine.export.sheets import Dialect, Format, Sheet, plain

EXCEL: Final = Format(
    name="excel",
    about="CSV that Excel opens without damage",
    sheets=(
        Sheet(
            name="offers",
            columns=plain("user_id", "offer_id", "face_value", "cost", "valid_from", "valid_to"),
            kind="text",
            dialect=Dialect(byte_order_mark=True, excel_safe=True),
            rows_per_part=1_048_575,  # and the header
        ),
    ),
)
