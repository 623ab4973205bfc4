"""The languages of the page: one catalogue of words each, and how numbers read in them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from . import formats

Code = Literal["en", "zh"]
LANGUAGES: Final[tuple[Code, ...]] = ("en", "zh")
YUAN: Final = "元"
"""How a Chinese page calls CNY after an amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language's words and numbers.

    Attributes
    ----------
    code
        As in ``<html lang>``.
    words
        Dotted key to the text, with placeholders in braces.
    """

    code: Code
    words: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with its placeholders filled.

        Raises
        ------
        KeyError
            When the catalogue has no such text, or a placeholder has no value.
        """
        return self.words[key].format(**values)

    def number(self, value: float | None, digits: int | None = None) -> str:
        """Return a number with separators; see `formats.number`."""
        return formats.number(value, digits)

    def count(self, value: int | None) -> str:
        """Return a whole number with separators."""
        return formats.count(value)

    def money(self, value: float | None) -> str:
        """Return an amount of currency in full."""
        return formats.money(value)

    def brief(self, value: float | None) -> str:
        """Return a large figure as it is spoken: with 万 and 亿 in Chinese, in full in English.

        >>> language("zh").brief(1_127_418), language("zh").brief(200_000), language("zh").brief(7)
        ('112.7万', '20万', '7.00')
        """
        units = formats.CHINESE if self.code == "zh" else ()
        for step, unit in units:
            if value is not None and abs(value) >= step * (1 - 5e-5):
                return f"{formats.significant(value / step, 4, trimmed=True)}{unit}"
        return formats.money(value)

    def percent(self, share: float | None, digits: int = 1) -> str:
        """Return a share as a percentage, as the language spaces it."""
        return self._spaced(formats.percent(share, digits))

    def tiny_percent(self, share: float) -> str:
        """Return a small share with two significant digits."""
        return self._spaced(formats.tiny_percent(share))

    def compact(self, value: float) -> str:
        """Return a number for an axis."""
        return formats.compact(value, formats.CHINESE if self.code == "zh" else formats.STEPS)

    def significant(self, value: float, digits: int = 3) -> str:
        """Return a number with some significant digits."""
        return formats.significant(value, digits)

    def unit(self, currency: str) -> str:
        """Return what stands after an amount of a currency.

        >>> language("zh").unit("CNY"), language("zh").unit("USD"), language("en").unit("CNY")
        ('元', 'USD', 'CNY')
        """
        return YUAN if self.code == "zh" and currency == "CNY" else currency

    def moment(self, at: datetime) -> str:
        """Return a date and its time.

        >>> first = datetime.fromisoformat("2026-11-01")
        >>> language("zh").moment(first), language("en").moment(first)
        ('2026年11月1日 00:00', '2026-11-01 00:00')
        """
        day = f"{at.year}年{at.month}月{at.day}日" if self.code == "zh" else f"{at:%Y-%m-%d}"
        return f"{day} {at:%H:%M}"

    def listed(self, words: tuple[str, ...]) -> str:
        """Return words as a list within a sentence."""
        return ("、" if self.code == "zh" else ", ").join(words)

    def _spaced(self, text: str) -> str:
        return text.replace(" ", "") if self.code == "zh" else text


@cache
def language(code: Code) -> Language:
    """Return a language with its catalogue."""
    catalogue = files("incentive_engine.report").joinpath("catalogue", f"{code}.toml")
    return Language(code=code, words=dict(_flat(tomllib.loads(catalogue.read_text("utf-8")))))


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, entry in table.items():
        if isinstance(entry, Mapping):
            yield from _flat(entry, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", entry
