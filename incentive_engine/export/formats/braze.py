"""Braze: a promotion code list per offer, and users with their codes as attributes.

A list holds one code per row and at most twenty million. Braze hands the codes of a list to
whoever is written to; the second file gives each user the code that was made for them.
"""

from incentive_engine.export.sheets import Format, Sheet


def braze() -> Format:
    """Return the format: promotion code lists, and users with their codes."""
    return Format(
        name="braze",
        about="Braze promotion code lists, and users with their codes",
        sheets=(
            Sheet(
                name="codes-{offer}",
                columns=(("code", "code"),),
                kind="text",
                rows_per_part=1_000_000,
            ),
            Sheet(
                name="users",
                columns=(
                    ("external_id", "user_id"),
                    ("incentive_offer", "offer_id"),
                    ("incentive_code", "code"),
                    ("incentive_valid_to", "valid_to"),
                ),
                kind="text",
                rows_per_part=1_000_000,
            ),
        ),
    )
