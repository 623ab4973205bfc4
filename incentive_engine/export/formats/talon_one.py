"""Talon.One: codes to import into a campaign, one file per offer.

`value` is the code, `recipientintegrationid` the only customer who may use it, and `limitval` how
often. Dates are RFC 3339; an empty one means no bound.
"""

from incentive_engine.export.sheets import ConstantColumn, Format, Sheet


def talon_one() -> Format:
    """Return the format: coupons, a file per campaign."""
    return Format(
        name="talon-one",
        about="Talon.One coupons, a file per campaign",
        sheets=(
            Sheet(
                name="{offer}",
                columns=(
                    ("value", "code"),
                    ("expirydate", "valid_to"),
                    ("startdate", "valid_from"),
                    ("recipientintegrationid", "user_id"),
                    ("limitval", ConstantColumn("1")),
                    ("attributes", ConstantColumn("{}")),
                ),
                kind="text",
                rows_per_part=4_000_000,
            ),
        ),
    )
