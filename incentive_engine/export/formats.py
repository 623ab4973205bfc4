"""The formats that offers leave in: for files, databases and the systems that issue coupons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from incentive_engine.errors import ConfigError, Fault, nearest
from incentive_engine.language import say


@dataclass(frozen=True, slots=True)
class ConstantColumn:
    """The same text in every row."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How text is written into a CSV file."""

    escape: Literal["double", "backslash"] = "double"
    """What stands before a quote inside quotes: another quote, or a backslash."""
    quote_all: bool = False
    """Quotes around numbers and empty cells too."""
    byte_order_mark: bool = False
    """Tells Excel that the file is UTF-8."""
    excel_safe: bool = False
    """An apostrophe before ids, so that they stay text, and before what would be a formula."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Files of one kind.

    Attributes
    ----------
    name
        The file's path without number and suffix; ``{offer}`` makes files per offer.
    columns
        Header to column of `rows.COLUMNS`, or to a constant.
    kind
        What writes it.
    rows_per_part
        A further file begins after so many rows; None: never.
    """

    name: str
    columns: tuple[tuple[str, str | ConstantColumn], ...]
    kind: Literal["text", "parquet", "duckdb"]
    dialect: Dialect = Dialect()
    rows_per_part: int | None = None

    @property
    def suffix(self) -> str:
        """The files' suffix."""
        return {"text": ".csv", "parquet": ".parquet", "duckdb": ".duckdb"}[self.kind]

    @property
    def by_offer(self) -> bool:
        """Whether each offer has files of its own."""
        return "{offer}" in self.name

    def file_name(self, offer: str, number: int) -> str:
        """Return a file's path inside the export's directory; parts count from 1.

        >>> Sheet(name="{offer}", columns=(), kind="text").file_name("off50", 1)
        'off50-00001.csv'
        """
        return f"{self.name.format(offer=offer)}-{number:05}{self.suffix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How an export looks: one sheet, or several that belong together."""

    name: str
    about: str
    sheets: tuple[Sheet, ...]

    @property
    def needs_codes(self) -> bool:
        """Whether users get codes of their own."""
        # the only column that needs the key
        code = "code"
        return any(source == code for sheet in self.sheets for _, source in sheet.columns)


def csv_parts() -> Format:
    """Return the format: plain CSV in parts of a million rows.

    Text stands in double quotes, so that ids stay text.
    """
    return Format(
        name="csv",
        about="plain CSV in parts of a million rows",
        sheets=(
            Sheet(name="offers", columns=_offer_columns(), kind="text", rows_per_part=1_000_000),
        ),
    )


def csv_file() -> Format:
    """Return the format: one plain CSV file."""
    return Format(
        name="csv",
        about="one plain CSV file",
        sheets=(Sheet(name="offers", columns=_offer_columns(), kind="text"),),
    )


def excel() -> Format:
    """Return the format: CSV that Excel opens without damage.

    Excel drops leading zeros and digits beyond the fifteenth, makes dates of ids such as
    OCT20, runs cells that begin with = + - @, and shows 1,048,576 rows at most.
    """
    return Format(
        name="excel",
        about="CSV that Excel opens without damage",
        sheets=(
            Sheet(
                name="offers",
                columns=_offer_columns(),
                kind="text",
                dialect=Dialect(byte_order_mark=True, excel_safe=True),
                rows_per_part=1_048_575,  # and the header
            ),
        ),
    )


def parquet_parts() -> Format:
    """Return the format: Parquet, partitioned by offer."""
    return Format(
        name="parquet",
        about="Parquet, partitioned by offer",
        sheets=(
            Sheet(
                name="offer_id={offer}/part",
                columns=_plain("user_id", "face_value", "cost", "valid_from", "valid_to"),
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
                columns=_offer_columns(),
                kind="parquet",
            ),
        ),
    )


def duckdb_file() -> Format:
    """Return the format: a DuckDB database."""
    return Format(
        name="duckdb",
        about="a DuckDB database",
        sheets=(
            Sheet(
                name="offers",
                columns=_offer_columns(),
                kind="duckdb",
            ),
        ),
    )


def talon_one() -> Format:
    """Return the format: coupons, a file per campaign.

    One file per offer. `value` is the code, `recipientintegrationid` the only customer who may
    use it, and `limitval` how often. Dates are RFC 3339; an empty one means no bound.
    """
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


def eagle_eye() -> Format:
    """Return the format: tokens, and a list of who gets which.

    Every field is quoted, a quote inside is escaped by a backslash, lines end in LF. The
    platform does not know users, so a second list says whom a token is for.
    """
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


def braze() -> Format:
    """Return the format: promotion code lists, and users with their codes.

    A list holds one code per row and at most twenty million. Braze hands the codes of a list
    to whoever is written to; the second file gives each user the code that was made for them.
    """
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


def _plain(*names: str) -> tuple[tuple[str, str], ...]:
    """Return columns that are called as in the engine."""
    return tuple((name, name) for name in names)


def _offer_columns() -> tuple[tuple[str, str], ...]:
    """Return the columns of a plain list of offers."""
    return _plain("user_id", "offer_id", "face_value", "cost", "valid_from", "valid_to")


PRESETS: Final = {
    form.name: form
    for form in (csv_parts(), excel(), parquet_parts(), talon_one(), eagle_eye(), braze())
}
"""By the name that `--preset` takes; all of them write a directory."""


def of_suffix() -> dict[str, Format]:
    """Return the formats of a single file, each by the suffix that asks for it."""
    parquet = parquet_file()
    return {".csv": csv_file(), ".parquet": parquet, ".pq": parquet, ".duckdb": duckdb_file()}


def preset(name: str) -> Format:
    """Return a format by its name.

    Raises
    ------
    ConfigError
        When there is none.
    """
    if name not in PRESETS:
        raise ConfigError(
            Fault(
                "--preset", say("`{name}` is not known", name=name), remedy=nearest(name, PRESETS)
            )
        )
    return PRESETS[name]
