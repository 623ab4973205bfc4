"""Messages, the languages that they are said in, and how numbers read there.

A lower layer says what it found as a `Message`: a key and typed values. Only who shows it to
people turns it into words, by the catalogue of their language.

What stands on pages has short keys, and texts in both languages. What is said where something is
wrong stands there in English, as gettext has it: ``say("column `{name}` is missing", name=name)``
is a message whose key is its English text, and ``catalogue/phrases`` holds the Chinese one.
"""

from __future__ import annotations

import errno
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from operator import index
from string import Formatter
from typing import Any, Final, Literal, SupportsIndex, TypeAlias

DASH: Final = "–"
"""What stands where a number is unknown or does not apply."""

Code = Literal["en", "zh"]
LANGUAGES: Final[tuple[Code, ...]] = ("en", "zh")
Value: TypeAlias = "str | int | float | Message | tuple[Value, ...] | None"
"""What a message may name."""


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence without its language: what to say, and the values that it names.

    >>> few = say("trial.sizes.few", arm="off20", conversions=3, rows=1_060)
    >>> str(few)
    '`off20` has 3 conversions in 1,060 rows'
    >>> few.text("zh")
    '`off20` 的 1,060 行中只有 3 次转化'

    Attributes
    ----------
    key
        Of the catalogues, or the English text itself.
    values
        By the names of the text's placeholders; a message among them is said within this one.
    """

    key: str
    values: tuple[tuple[str, Value], ...] = ()

    def __str__(self) -> str:
        """Return it in English."""
        return self.text("en")

    def text(self, code: Code) -> str:
        """Return it in a language."""
        return language(code).say(self)


Text: TypeAlias = str | Message
"""Something to say: a message, or a text that is the same in every language."""


def say(key: str, /, **values: object) -> Message:
    """Return the message of a key or of an English text, with values for its placeholders.

    What is neither text, a number nor a message is named as `str` has it.

    >>> lost = say("column `{name}` is missing", name="tier")
    >>> str(lost), lost.text("zh")
    ('column `tier` is missing', '缺少列 `tier`')
    """
    return Message(key, tuple((name, _value(value)) for name, value in values.items()))


def _value(value: object) -> Value:
    if value is None or isinstance(value, str | int | float | Message):
        return value
    if isinstance(value, tuple | list):
        return tuple(map(_value, value))
    if isinstance(value, SupportsIndex):  # an integer of numpy's
        return index(value)
    return message_of(value) if isinstance(value, Exception) else str(value)


def message_of(error: Exception) -> Text:
    """Return what an error says: of the system's errors the reason, without their numbers.

    >>> message_of(ValueError(say("did you mean `{name}`?", name="a"))).text("zh")
    '您是不是想写 `a`？'
    >>> str(message_of(FileNotFoundError(2, "no such file or directory", "x.csv")))
    'no such file or directory'
    """
    # what an error of the system means
    reasons = {
        errno.ENAMETOOLONG: "the name is too long",
        errno.ENOENT: "no such file or directory",
        errno.ENOTDIR: "a file stands where a directory is needed",
        errno.EISDIR: "is a directory",
        errno.EACCES: "access is not permitted",
        errno.EPERM: "access is not permitted",
        errno.EROFS: "the disk may only be read",
        errno.ELOOP: "links go round in a circle",
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EMFILE: "too many files are open",
        errno.ENFILE: "too many files are open",
        errno.EIO: "the disk cannot be read or written",
        errno.EAGAIN: "no further process or thread can be started",
        errno.ENOMEM: "there is not enough memory",
        errno.ESTALE: "the disk is gone",
        errno.EADDRINUSE: "something else listens there already",
        errno.EADDRNOTAVAIL: "this machine has no such address",
        errno.ECONNREFUSED: "nothing listens there",
    }
    if isinstance(error, OSError) and error.errno in reasons:
        return say(reasons[error.errno])
    first = error.args[0] if error.args else ""
    if isinstance(first, Message):
        return first
    # what Python and libraries write before such a reason
    return re.sub(r"\[Errno -?\d+\] ", "", str(error), flags=re.IGNORECASE)


def any_of(names: Sequence[str]) -> Message:
    """Return the names of which any will do.

    >>> str(any_of(["en", "zh"])), str(any_of(["a"])), any_of(["a", "b", "c"]).text("zh")
    ('`en` or `zh`', '`a`', '`a`、`b` 或 `c`')
    """
    *others, last = names
    if not others:
        return say("{name:code}", name=last)
    return say("{names:code} or {last:code}", names=tuple(others), last=last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language's words and numbers.

    Attributes
    ----------
    code
        As in ``<html lang>``.
    words
        Dotted key to the text, with placeholders in braces.
    phrases
        English text to that of this language.
    """

    code: Code
    words: Mapping[str, str]
    phrases: Mapping[str, str]

    def __call__(self, key: str, /, **values: object) -> str:
        """Return a text with its placeholders filled.

        Raises
        ------
        KeyError
            When the catalogue has no such text, or a placeholder has no value.
        """
        if _is_short(key):
            return _Filled(self).vformat(self.words[key], (), values)
        text = self.phrases.get(key, key)
        return _Filled(self).vformat(text, (), values) if values else text

    def phrase(self, text: Text) -> str:
        """Return a message, or an English text that stands alone, in this language.

        >>> language("zh").phrase("train again"), language("zh").phrase("tier")
        ('请重新训练', 'tier')
        """
        return self.phrases.get(text, text) if isinstance(text, str) else self.say(text)

    def say(self, text: Text) -> str:
        """Return a message in this language; a text as it is."""
        return text if isinstance(text, str) else self(text.key, **dict(text.values))

    def number(self, value: float | None, digits: int | None = None) -> str:
        """Return a number with separators; without `digits`, as many as its size deserves.

        >>> [language("en").number(value) for value in (1234.5, 12.345, -0.1234, -0.001, None)]
        ['1,234', '12.3', '−0.12', '0.00', '–']
        """
        if value is None or not math.isfinite(value):
            return DASH
        return _with_minus(f"{value:z,.{places(value) if digits is None else digits}f}")

    def count(self, value: int | None) -> str:
        """Return a whole number with separators."""
        return DASH if value is None else f"{value:,d}"

    def money(self, value: float | None) -> str:
        """Return an amount of currency: whole from 1,000 on, else with two digits.

        >>> language("en").money(199999.4), language("en").money(12.5)
        ('199,999', '12.50')
        """
        return self.number(value, None if value is None else 0 if abs(value) >= 1000 else 2)

    @property
    def units(self) -> tuple[tuple[float, str], ...]:
        """What figures on an axis are cut to, the largest unit first."""
        zh = self.code == "zh"
        return ((1e8, "亿"), (1e4, "万")) if zh else ((1e9, "bn"), (1e6, "m"), (1e3, "k"))

    def brief(self, value: float | None) -> str:
        """Return a large figure as it is spoken: with 万 and 亿 in Chinese, in full in English.

        >>> language("zh").brief(1_127_418), language("zh").brief(200_000), language("zh").brief(7)
        ('112.7万', '20万', '7.00')
        """
        for step, unit in self.units if self.code == "zh" else ():
            # four digits are shown, so that 9,999.6 reads as one of the larger unit already
            if value is not None and abs(value) >= step * (1 - 5e-5):
                return f"{self.significant(value / step, 4, trimmed=True)}{unit}"
        return self.money(value)

    def percent(self, share: float | None, digits: int = 1) -> str:
        """Return a share as a percentage, as the language spaces it.

        >>> [language(code).percent(0.25) for code in LANGUAGES], language("en").percent(None)
        (['25.0 %', '25.0%'], '–')
        """
        if share is None or not math.isfinite(share):
            return DASH
        return self._percent(self.number(share * 100, digits))

    def tiny_percent(self, share: float) -> str:
        """Return a small share with two significant digits, and zero as zero.

        >>> [language("en").tiny_percent(share) for share in (0.0000123, 0.0, 0.025)]
        ['0.0012 %', '0 %', '2.5 %']
        """
        percent = share * 100
        if abs(percent) < 1e-12:
            return self._percent("0")
        digits = max(0, 1 - math.floor(math.log10(abs(percent))))
        return self._percent(self.number(percent, digits))

    def bound_percent(self, share: float) -> str:
        """Return a share that something stays below, rounded up: less than 0.01 % reads so.

        >>> [language("en").bound_percent(share) for share in (2.1e-7, 0.000123, 0.0250001)]
        ['0.01 %', '0.013 %', '2.6 %']
        """
        # a bound nearer to nothing tells people no more
        least, percent = 0.01, share * 100
        if percent <= least:
            return self._percent(self.number(least, 2))
        digits = max(0, 1 - math.floor(math.log10(percent)))
        step = 10.0**-digits
        # what float64 adds to a share that has two digits already is no reason to round up
        rounding = 1e-9
        return self._percent(self.number(math.ceil(percent / step - rounding) * step, digits))

    def compact(self, value: float) -> str:
        """Return a number for an axis.

        >>> [language("en").compact(value) for value in (200_000, 1_500_000, 1.04, 0.05, 0)]
        ['200k', '1.5m', '1.04', '0.05', '0']
        """
        for step, unit in self.units:
            if abs(value) >= step:
                return _with_minus(f"{value / step:g}{unit}")
        if abs(value) >= 1e3:
            return self.number(value, 0 if float(value).is_integer() else 1)
        return _with_minus(f"{value:.4g}")

    def significant(self, value: float, digits: int = 3, *, trimmed: bool = False) -> str:
        """Return a number with some significant digits; `trimmed`, without zeros at their end.

        >>> [language("en").significant(value) for value in (0.0312345, 31.2345, 31234.5)]
        ['0.0312', '31.2', '31,234']
        """
        if value == 0:
            return "0"
        text = self.number(value, max(0, digits - 1 - math.floor(math.log10(abs(value)))))
        return text.rstrip("0").rstrip(".") if trimmed and "." in text else text

    def unit(self, currency: str) -> str:
        """Return what stands after an amount of a currency.

        >>> language("zh").unit("CNY"), language("zh").unit("USD"), language("en").unit("CNY")
        ('元', 'USD', 'CNY')
        """
        return "元" if self.code == "zh" and currency == "CNY" else currency

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

    def _percent(self, number: str) -> str:
        return f"{number}%" if self.code == "zh" else f"{number} %"


class _Filled(Formatter):
    """Fills placeholders: messages in the language, several values as a list."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: ANN401 - as its base
        """Return a value as text."""
        t = self.language
        # the formats of the catalogues: names as code, a large figure as it is spoken, what stands
        # after an amount of a currency, a share that something stays below
        own: Mapping[str, Callable[[Any], str]] = {
            "code": "`{}`".format, "brief": t.brief, "unit": t.unit, "bound": t.bound_percent
        }  # fmt: skip
        if isinstance(value, Message):
            return t.say(value)
        if isinstance(value, tuple):
            return t.listed(tuple(self.format_field(part, format_spec) for part in value))
        if value is None:
            return DASH
        return own[format_spec](value) if format_spec in own else format(value, format_spec)


@cache
def language(code: Code) -> Language:
    """Return a language with its catalogues."""
    words = {key: text for chapter in chapters(code) for key, text in chapter.items()}
    phrases = chinese_phrases() if code == "zh" else {}
    return Language(code=code, words=words, phrases=phrases)


def _is_short(key: str) -> bool:
    """Return whether a key is one of the catalogues, and no English text.

    >>> _is_short("trial.sizes.few"), _is_short("train again"), _is_short("negative")
    (True, False, False)
    """
    return "." in key and re.fullmatch(r"[\w.-]+[\w-]", key) is not None


def chinese_phrases() -> dict[str, str]:
    """Return English text to Chinese text, of a file per package."""
    return {key: text for chapter in _read("phrases") for key, text in chapter.items()}


def chapters(code: str) -> list[dict[str, str]]:
    """Return the files of the catalogue in a language, each as dotted keys and texts."""
    return [dict(_flat(content)) for content in _read("", ending=f".{code}.toml")]


def _read(folder: str, *, ending: str = ".toml") -> Iterator[dict[str, Any]]:
    """Yield the contents of a folder's files whose names end so."""
    for file in files("incentive_engine.language").joinpath("catalogue", folder).iterdir():
        if file.name.endswith(ending):
            yield tomllib.loads(file.read_text("utf-8"))


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, entry in content.items():
        if isinstance(entry, Mapping):
            yield from _flat(entry, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", entry


def places(*values: float) -> int:
    """Return the decimals that figures which stand together deserve, by the largest.

    >>> places(8.12, 323.0), places(0.0), places(5.17, 10.6)
    (0, 0, 1)
    """
    size = max(abs(value) for value in values)
    return 0 if size >= 100 or size == 0 else 1 if size >= 10 else 2


def _with_minus(text: str) -> str:
    # a hyphen is shorter than a digit, so that columns of figures would not stand straight
    return text.replace("-", "−")
