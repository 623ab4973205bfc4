"""CSV that Excel opens without damage.

Excel drops leading zeros and digits beyond the fifteenth, makes dates of ids such as OCT20, runs
cells that begin with = + - @, and shows 1,048,576 rows at most.
"""

from incentive_engine.export.sheets import Dialect, Format, Sheet, offer_columns


def excel() -> Format:
    """Return the format: CSV that Excel opens without damage."""
    return Format(
        name="excel",
        about="CSV that Excel opens without damage",
        sheets=(
            Sheet(
                name="offers",
                columns=offer_columns(),
                kind="text",
                dialect=Dialect(byte_order_mark=True, excel_safe=True),
                rows_per_part=1_048_575,  # and the header
            ),
        ),
    )
