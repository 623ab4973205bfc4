"""Messages in JSON files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incentive_engine.language import Message, Value


def to_dict(message: Message) -> dict[str, Any]:
    """Return a message's content for a JSON file.

    >>> from incentive_engine.language import say
    >>> from_dict(to_dict(say("list.more", named=("a", "b"), more=3)))
    Message(key='list.more', values=(('named', ('a', 'b')), ('more', 3)))
    """
    return {"key": message.key, "values": {name: _to_json(part) for name, part in message.values}}


def from_dict(content: Mapping[str, Any]) -> Message:
    """Return what `to_dict` wrote."""
    values: Mapping[str, Any] = content["values"]
    return Message(
        content["key"], tuple((name, _from_json(part)) for name, part in values.items())
    )


def _to_json(value: Value) -> object:
    if isinstance(value, Message):
        return to_dict(value)
    return [_to_json(part) for part in value] if isinstance(value, tuple) else value


def _from_json(content: Any) -> Value:  # noqa: ANN401 - whatever JSON holds
    if isinstance(content, Mapping):
        return from_dict(content)
    return tuple(map(_from_json, content)) if isinstance(content, list) else content
