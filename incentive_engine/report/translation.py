"""Sentences that other layers write in English, in the language of the page.

What is found in data is said where it is found, in English, and kept in files; the page needs it
in its own language. Each sentence has a pattern in ``catalogue/zh_found.toml``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from .language import Code

SENTENCE: Final = "said"
"""A placeholder whose name begins so holds a sentence, which is translated in turn."""
LIST: Final = "list"
"""A placeholder whose name begins so holds several, with commas between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One sentence in English, as an expression, and what to say instead."""

    english: re.Pattern[str]
    translated: str


def translated(code: Code, text: str) -> str:
    """Return a text in a language; as it is where nobody has translated it.

    >>> translated("zh", "nobody converted, so nothing tells what an offer changes")
    '没有任何转化，无法得知优惠改变了什么'
    >>> translated("en", "nobody converted"), translated("zh", "nobody knows this")
    ('nobody converted', 'nobody knows this')
    """
    if code == "en":
        return text
    return _translated(code, text) or text


def _translated(code: Code, text: str) -> str | None:
    for pattern in _patterns(code):
        if found := pattern.english.fullmatch(text):
            values = {name: _value(code, name, part) for name, part in found.groupdict().items()}
            return pattern.translated.format(**values)
    return next(_joined(code, text), None)


def _value(code: Code, name: str, text: str) -> str:
    if name.startswith(SENTENCE):
        return translated(code, text)
    if name.startswith(LIST):
        return "、".join(translated(code, part) for part in text.split(", "))
    return text


def _joined(code: Code, text: str) -> Iterator[str]:
    """Yield a finding and its remedy, which stand on both sides of a semicolon."""
    for mark in re.finditer("; ", text):
        first, rest = (
            _translated(code, part) for part in (text[: mark.start()], text[mark.end() :])
        )
        if first is not None and rest is not None:
            yield f"{first}；{rest}"


@cache
def _patterns(code: Code) -> tuple[Pattern, ...]:
    file = files("incentive_engine.report").joinpath("catalogue", f"{code}_found.toml")
    sentences: list[Mapping[str, str]] = tomllib.loads(file.read_text("utf-8"))["sentence"]
    return tuple(
        Pattern(english=_expression(each["en"]), translated=each[code]) for each in sentences
    )


def _expression(sentence: str) -> re.Pattern[str]:
    """Return what matches a sentence with anything in its placeholders.

    >>> _expression("{n} of {m}").fullmatch("3 of 7").groupdict()
    {'n': '3', 'm': '7'}
    """
    parts = re.split(r"\{(\w+)\}", sentence)
    parts[::2] = (re.escape(text) for text in parts[::2])
    parts[1::2] = (_anything(name) for name in parts[1::2])
    return re.compile("".join(parts), re.DOTALL)


def _anything(name: str) -> str:
    """Return what matches a placeholder; only a sentence may have a semicolon in it."""
    return f"(?P<{name}>.+?)" if name.startswith(SENTENCE) else f"(?P<{name}>(?:(?!; ).)+?)"
