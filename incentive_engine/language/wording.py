"""Messages that many rooms make: what catalogues call things, names and messages in a row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from incentive_engine.language import Message, Text, Value, language, say


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


def as_warnings(texts: Iterable[Text]) -> tuple[Message, ...]:
    """Return warnings as lines of their own.

    >>> str(as_warnings([say("notes.no_holdout")])[0])
    'warning: No holdout: the increment cannot be measured afterwards'
    """
    return tuple(say("terminal.warning", text=text) for text in texts)
