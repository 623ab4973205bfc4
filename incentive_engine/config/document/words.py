"""What a field takes, in words; for messages and for the reference."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from incentive_engine.config.document.places import Loc
from incentive_engine.language import Text, any_of, say


@dataclass(frozen=True, slots=True)
class Words:
    """Says in an annotation what its values are; it overrides the words of the type."""

    text: str


def keys_of(model: type[BaseModel]) -> Text:
    """Return a model as the mapping that a planner writes."""
    return say("a mapping with {names}", names=tuple(model.model_fields))


def describe(kind: object, *, model: Callable[[type[BaseModel]], Text] = keys_of) -> Text:
    """Return what a type takes.

    Parameters
    ----------
    kind
        An annotation as pydantic models carry it.
    model
        Returns the words for a model.

    >>> str(describe(tuple[int, ...])), str(describe(Literal["a", "b"]))
    ('a list, each item a whole number', '`a` or `b`')
    """
    kind = bare(kind)
    if isinstance(kind, Words):
        return say(kind.text)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return model(kind)
    type_words = {
        str: "text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        Path: "a path",
    }
    if isinstance(kind, type) and kind in type_words:
        return say(type_words[kind])
    return _describe_parts(kind, model=model)


def _describe_parts(kind: object, *, model: Callable[[type[BaseModel]], Text]) -> Text:
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return any_of([str(value) for value in args])
    parts = [describe(arg, model=model) for arg in args if arg is not Ellipsis]
    if is_union(kind):
        return _either([*dict.fromkeys(parts)])
    if origin is dict:
        return say("a mapping from {keys} to {items}", keys=parts[0], items=parts[1])
    if origin is tuple and Ellipsis in args:
        return say("a list, each item {item}", item=parts[0])
    return say("[{items}]", items=tuple(parts)) if origin is tuple else say("a value")


def _either(parts: list[Text]) -> Text:
    first, *others = parts
    return say("{first} or {second}", first=first, second=_either(others)) if others else first


def bare(kind: object) -> object:
    """Return a type without its metadata and without None, or the words that stand for it."""
    while get_origin(kind) is Annotated or is_union(kind):
        base, *metadata = get_args(kind)
        if get_origin(kind) is Annotated:
            kind = next((item for item in reversed(metadata) if isinstance(item, Words)), base)
            continue
        options = [option for option in (base, *metadata) if option is not types.NoneType]
        if len(options) > 1:
            return kind
        kind = options[0]
    return kind


def is_union(kind: object) -> bool:
    """Tell whether a type is a union, in either notation."""
    return get_origin(kind) in {Union, types.UnionType}


def type_at(kind: object, loc: Loc) -> object | None:
    """Return the type of what stands at the end of a way into a model, None where nothing can."""
    for part in loc:
        inner = next((below for o in _options(kind) if (below := _below(o, part))), None)
        if inner is None:
            return None
        kind = inner
    return kind


def key_type(kind: object) -> object | None:
    """Return the type of the keys of a mapping, None where it is none."""
    args: tuple[object, ...] = get_args(_options(kind)[0])
    return args[0] if get_origin(_options(kind)[0]) is dict else None


def models_in(kind: object) -> Iterator[type[BaseModel]]:
    """Yield every model that a type may hold, itself included, from the top down."""
    for option in _options(kind):
        if isinstance(option, type) and issubclass(option, BaseModel):
            yield option
        else:
            for arg in get_args(option):
                yield from models_in(arg)


def models_at(kind: object, loc: Loc) -> list[type[BaseModel]]:
    """Return the models that may stand at the end of a way."""
    models = (o for o in _options(type_at(kind, loc)) if isinstance(o, type))
    return [option for option in models if issubclass(option, BaseModel)]


def _options(kind: object) -> tuple[object, ...]:
    """Return the members of a union, or the type alone; words do not hide the type here."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if not is_union(kind):
        return (kind,)
    return tuple(option for member in get_args(kind) for option in _options(member))


def _below(kind: object, step: str | float) -> object | None:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(str(step))
        return field.rebuild_annotation() if field else None
    items: tuple[object, ...] = get_args(kind)
    if get_origin(kind) is tuple and isinstance(step, int):
        return items[0] if Ellipsis in items else items[min(step, len(items) - 1)]
    return items[1] if get_origin(kind) is dict else None
