"""Where a piece of configuration was written, so that every message can say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Loc = tuple[str | int | float, ...]
"""The way to a field: keys of mappings and positions in lists."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, or an option of the command line."""

    origin: str
    """The file's path as it was given, or ``--set KEY=VALUE``."""
    line: int = 0
    """Counted from 1; 0 where the origin has no lines."""

    def __str__(self) -> str:
        """Return what editors and terminals recognise.

        >>> str(Place("policies/a.yaml", 3))
        'policies/a.yaml:3'
        """
        return f"{self.origin}:{self.line}" if self.line else self.origin


@dataclass(frozen=True, slots=True)
class DocumentSource:
    """Where each field of a document stands.

    Two sources always compare equal: policies are equal when they mean the same, wherever they
    were read from.
    """

    origin: str = field(default="policy", compare=False)
    """What to name where no place is known."""
    places: Mapping[Loc, Place] = field(default_factory=dict, compare=False)
    """Field to place; the empty way is the document itself."""

    def place(self, loc: Loc) -> Place:
        """Return where a field stands, or the nearest thing around it that stands somewhere."""
        for end in range(len(loc), -1, -1):
            if written := self.places.get(loc[:end]):
                return written
        return Place(self.origin)

    def locate(self, loc: Loc) -> str:
        """Return place and field as messages show them.

        >>> source = DocumentSource("a.yaml", {("limits", 2): Place("a.yaml", 31)})
        >>> source.locate(("limits", 2, "where"))
        'a.yaml:31: limits.2.where'
        """
        return f"{self.place(loc)}: {dotted(loc)}" if loc else str(self.place(loc))


def dotted(loc: Loc) -> str:
    """Return the way to a field as text, as ``--set`` takes it."""
    return ".".join(map(str, loc))


def items_by_name(items: object) -> dict[str, Any] | None:
    """Return the items of a list by their names; None where some have none, or the same."""
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
