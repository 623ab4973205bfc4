"""What a format's files hold: which columns, how they are written, how they are split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
