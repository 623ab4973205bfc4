"""Plain CSV: UTF-8, text in double quotes, so that ids stay text."""

from incentive_engine.export.sheets import Format, Sheet, offer_columns


def csv_parts() -> Format:
    """Return the format: plain CSV in parts of a million rows."""
    return Format(
        name="csv",
        about="plain CSV in parts of a million rows",
        sheets=(
            Sheet(name="offers", columns=offer_columns(), kind="text", rows_per_part=1_000_000),
        ),
    )


def csv_file() -> Format:
    """Return the format: one plain CSV file."""
    return Format(
        name="csv",
        about="one plain CSV file",
        sheets=(Sheet(name="offers", columns=offer_columns(), kind="text"),),
    )
