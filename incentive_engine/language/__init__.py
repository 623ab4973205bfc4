"""Messages, the languages that they are said in, and how numbers read there.

A lower layer says what it found as a `Message`: a key and typed values. Only who shows it to
people turns it into words, by the catalogue of their language.

What stands on pages has short keys, and texts in both languages. What is said where something is
wrong stands there in English, as gettext has it: ``say("column `{name}` is missing", name=name)``
is a message whose key is its English text, and ``catalogue/phrases`` holds the Chinese one.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import index
from string import Formatter
from typing import Any, Final, Literal, Self, SupportsIndex, TypeAlias

from . import formats
from .chapters import chapters, chinese_phrases

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

    def to_dict(self) -> dict[str, Any]:
        """Return the content for a JSON file.

        >>> Message.from_dict(say("list.more", named=("a", "b"), more=3).to_dict())
        Message(key='list.more', values=(('named', ('a', 'b')), ('more', 3)))
        """
        return {"key": self.key, "values": {name: _to_json(part) for name, part in self.values}}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return what `to_dict` wrote."""
        values: Mapping[str, Any] = content["values"]
        return cls(
            content["key"], tuple((name, _from_json(part)) for name, part in values.items())
        )


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
    # what Python and libraries write before such a reason
    return (
        first
        if isinstance(first, Message)
        else re.sub(r"\[Errno -?\d+\] ", "", str(error), flags=re.IGNORECASE)
    )


def named(kind: str, name: str) -> Text:
    """Return what the catalogues call something of a kind; what they lack keeps its name.

    >>> str(named("measure", "conversion")), named("measure", "points")
    ('conversions', 'points')
    """
    key = f"{kind}.{name}"
    return say(key) if key in language("en").words else name


def shortened(names: Sequence[Value], most: int) -> Value:
    """Return the first few names, and a count of the others.

    >>> str(say("trial.features.idle", names=shortened(("a", "b", "c"), 2)))
    'constant or wholly missing, so left out: `a`, `b` and 1 more'
    """
    named = tuple(names[:most])
    return say("list.more", named=named, more=len(names) - most) if len(names) > most else named


def joined(messages: Sequence[Message], how: Literal["both", "and", "comma"] = "both") -> Message:
    """Return several messages as one: side by side, or with `and` between them.

    >>> parts = [say("conflict.at_least", least=2.0), say("conflict.at_most", most=5.0)]
    >>> str(joined(parts)), str(joined(parts, "and"))
    ('at least 2; at most 5', 'at least 2 and at most 5')
    """
    first, *rest = messages
    return say(f"list.{how}", first=first, second=joined(rest, how)) if rest else first


def any_of(names: Sequence[str]) -> Message:
    """Return the names of which any will do.

    >>> str(any_of(["en", "zh"])), str(any_of(["a"])), any_of(["a", "b", "c"]).text("zh")
    ('`en` or `zh`', '`a`', '`a`、`b` 或 `c`')
    """
    *others, last = names
    if not others:
        return say("{name:code}", name=last)
    return say("{names:code} or {last:code}", names=tuple(others), last=last)


def as_warnings(texts: Iterable[Text]) -> tuple[Message, ...]:
    """Return warnings as lines of their own.

    >>> str(as_warnings([say("notes.no_holdout")])[0])
    'warning: No holdout: the increment cannot be measured afterwards'
    """
    return tuple(say("terminal.warning", text=text) for text in texts)


def _to_json(value: Value) -> object:
    if isinstance(value, Message):
        return value.to_dict()
    return [_to_json(part) for part in value] if isinstance(value, tuple) else value


def _from_json(content: Any) -> Value:  # noqa: ANN401 - whatever JSON holds
    if isinstance(content, Mapping):
        return Message.from_dict(content)
    return tuple(map(_from_json, content)) if isinstance(content, list) else content


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
        if not _is_short(key):
            text = self.phrases.get(key, key)
            return _Filled(self).vformat(text, (), values) if values else text
        text = self.words[key]
        return _Filled(self).vformat(text, (), values)

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
        units = formats.units_of("zh") if self.code == "zh" else ()
        for step, unit in units:
            # four digits are shown, so that 9,999.6 reads as one of the larger unit already
            if value is not None and abs(value) >= step * (1 - 5e-5):
                return f"{formats.significant(value / step, 4, trimmed=True)}{unit}"
        return formats.money(value)

    def percent(self, share: float | None, digits: int = 1) -> str:
        """Return a share as a percentage, as the language spaces it."""
        return self._spaced(formats.percent(share, digits))

    def tiny_percent(self, share: float) -> str:
        """Return a small share with two significant digits."""
        return self._spaced(formats.tiny_percent(share))

    def bound_percent(self, share: float) -> str:
        """Return a share that something stays below; see `formats.bound_percent`."""
        return self._spaced(formats.bound_percent(share))

    def compact(self, value: float) -> str:
        """Return a number for an axis."""
        return formats.compact(value, self.code)

    def significant(self, value: float, digits: int = 3, *, trimmed: bool = False) -> str:
        """Return a number with some significant digits; see `formats.significant`."""
        return formats.significant(value, digits, trimmed=trimmed)

    def unit(self, currency: str) -> str:
        """Return what stands after an amount of a currency.

        >>> language("zh").unit("CNY"), language("zh").unit("USD"), language("en").unit("CNY")
        ('元', 'USD', 'CNY')
        """
        # how a Chinese page calls CNY after an amount
        yuan = "元"
        return yuan if self.code == "zh" and currency == "CNY" else currency

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


class _Filled(Formatter):
    """Fills placeholders: messages in the language, several values as a list."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: ANN401 - as its base
        """Return a value as text."""
        t = self.language
        # a format of the catalogues: names as code, between backticks
        code = "code"
        # another: a large figure as it is spoken
        brief = "brief"
        # another: what stands after an amount of a currency
        unit = "unit"
        # another: a share that something stays below
        bound = "bound"
        own: Mapping[str, Callable[[Any], str]] = {
            code: "`{}`".format,
            brief: t.brief,
            unit: t.unit,
            bound: t.bound_percent,
        }
        if isinstance(value, Message):
            return t.say(value)
        if isinstance(value, tuple):
            return t.listed(tuple(self.format_field(part, format_spec) for part in value))
        if value is None:
            return formats.DASH
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
