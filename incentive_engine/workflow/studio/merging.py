"""Two people's changes of one policy: both are kept where they touch different fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from incentive_engine.config.document.editing import Edit, edited, flow_text, plain_of
from incentive_engine.config.document.places import Loc


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A text with both changes.

    Attributes
    ----------
    both
        Fields that both have changed, each to something else: mine stand in the text.
    """

    text: str
    both: tuple[str, ...]


def merged(base: str, mine: str, theirs: str) -> Merged:
    """Return the other's text with my changes on top.

    Parameters
    ----------
    base
        What both began with.

    Raises
    ------
    ConfigError
        When a text is no YAML, or my changes do not fit the other's text.
    """
    before, after, other = (plain_of(text) for text in (base, mine, theirs))
    changed = {found.path for found in _differences(before, other, before)}
    text, both = theirs, []
    for found in _differences(before, after, other):
        if any(_overlap(found.path, path) for path in changed):
            both.append(".".join(found.path))
        value = None if found.value is None else flow_text(found.value)
        text = edited(text, [Edit(loc=found.loc, value=value)])
    return Merged(text=text, both=tuple(both))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Difference:
    """A value that is another.

    Attributes
    ----------
    loc
        The way to it in the text that is to be changed.
    path
        The same by names, whatever stands before it in lists.
    value
        The new one; None where it is removed.
    """

    loc: Loc
    path: tuple[str, ...]
    value: object


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one way leads to the other, or into it."""
    return one[: len(other)] == other or other[: len(one)] == one


def _differences(
    before: Any,  # noqa: ANN401 - whatever YAML holds
    after: Any,  # noqa: ANN401 - likewise
    target: Any,  # noqa: ANN401 - likewise
    loc: Loc = (),
    path: tuple[str, ...] = (),
) -> Iterator[_Difference]:
    """Yield where two contents differ, by the way to it in a third.

    What is removed from a list comes last and from behind, so that earlier ways stay right.
    """
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            below = target.get(key) if isinstance(target, Mapping) else None
            where = (*path, str(key))
            yield from _differences(before.get(key), after.get(key), below, (*loc, key), where)
        return
    first, second, third = (_named(items) for items in (before, after, target))
    if first is None or second is None or third is None:
        yield _Difference(loc=loc, path=path, value=after)
        return
    places, size = list(third), len(third)
    for name, item in second.items():
        if name in third:
            at = (*loc, places.index(name))
            yield from _differences(first.get(name), item, third[name], at, (*path, name))
        elif first.get(name) != item:
            yield _Difference(loc=(*loc, size), path=(*path, name), value=item)
            size += 1
    for name in reversed(places):
        if name in first and name not in second:
            yield _Difference(loc=(*loc, places.index(name)), path=(*path, name), value=None)


def _named(items: object) -> dict[str, Any] | None:
    if not isinstance(items, list):
        return None
    by_name: dict[str, Any] = {}
    # keys by whose value the items of a list are told apart
    names = ("name", "id", "column")
    for item in items:
        key = next((key for key in names if isinstance(item, Mapping) and key in item), None)
        if key is None or str(item[key]) in by_name:
            return None
        by_name[str(item[key])] = item
    return by_name
