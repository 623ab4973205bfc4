"""Eagle Eye: tokens to issue, and who gets which.

Every field is quoted, a quote inside is escaped by a backslash, lines end in LF. The platform
does not know users, so a second list says whom a token is for.
"""

from incentive_engine.export.sheets import Dialect, Format, Sheet


def eagle_eye() -> Format:
    """Return the format: tokens, and a list of who gets which."""
    quoted = Dialect(escape="backslash", quote_all=True)
    return Format(
        name="eagle-eye",
        about="Eagle Eye tokens, and a list of who gets which",
        sheets=(
            Sheet(
                name="tokens",
                columns=(("token", "code"), ("campaignId", "campaign_id")),
                kind="text",
                dialect=quoted,
                rows_per_part=1_000_000,
            ),
            Sheet(
                name="recipients",
                columns=(("user_id", "user_id"), ("campaignId", "campaign_id"), ("token", "code")),
                kind="text",
                dialect=quoted,
                rows_per_part=1_000_000,
            ),
        ),
    )
