"""YAML text as a tree that knows the line of every node; repeated keys are faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import yaml

from incentive_engine.config.document.places import DocumentSource, Loc, Place, dotted
from incentive_engine.config.document.scalars import (
    MAP,
    SEQ,
    STR,
    PlainScalar,
    scalar_tag,
    scalar_value,
)
from incentive_engine.errors import Fault
from incentive_engine.language import Message, Text, message_of, say

Key = str | int | float


@dataclass(slots=True)
class Node:
    """A scalar, a list or a mapping, and where it was written."""

    value: PlainScalar | list[Node] | dict[Key, Node]
    place: Place
    """For a value in a mapping the place of its key."""

    def plain(self) -> object:
        """Return the content without places, as `yaml.safe_load` would."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def places(self, loc: Loc = ()) -> dict[Loc, Place]:
        """Return the place of every node below, by the way to it."""
        places = {loc: self.place}
        if isinstance(self.value, dict):
            for key, node in self.value.items():
                places |= node.places((*loc, key))
        elif isinstance(self.value, list):
            for index, node in enumerate(self.value):
                places |= node.places((*loc, index))
        return places


@dataclass(frozen=True, slots=True)
class DocumentTree:
    """A document's content, and what is wrong with its YAML."""

    root: Node | None
    """None where the text could not be read at all, or holds nothing."""
    faults: tuple[tuple[Place, Fault], ...]


def parse_tree(text: str, *, origin: str, has_lines: bool = True) -> DocumentTree:
    """Read YAML; a syntax error ends the reading, every other problem is collected."""
    reader = _Reader(origin=origin, has_lines=has_lines)
    try:
        top = _Loader(text).get_single_node()
        root = reader.root(top) if top else None
    except yaml.reader.ReaderError as error:
        place = Place(origin, text.count("\n", 0, error.position) + 1 if has_lines else 0)
        character = f"U+{ord(text[error.position]):04X}"
        what = say("the character {character} is not allowed in YAML", character=character)
        reader.fault(place, what, remedy="remove it")
        root = None
    except yaml.MarkedYAMLError as error:
        reader.syntax(error)
        root = None
    except RecursionError:
        reader.fault(Place(origin), "lists or mappings are nested too deeply")
        root = None
    return DocumentTree(root, tuple(reader.faults))


class _Loader(yaml.SafeLoader):
    """PyYAML's composer with this project's scalars, and without aliases."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: object) -> str:
        """Return the tag of a node that has none of its own."""
        if kind is yaml.ScalarNode:
            return scalar_tag(value or "") if isinstance(implicit, tuple) and implicit[0] else STR
        return MAP if kind is yaml.MappingNode else SEQ

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node that is no alias: a value stands where it is used."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # PyYAML lacks types
            raise yaml.composer.ComposerError(None, None, "an alias", mark)
        return super().compose_node(parent, index)


@dataclass(slots=True)
class _Reader:
    origin: str
    has_lines: bool
    faults: list[tuple[Place, Fault]] = field(default_factory=list)

    def place(self, mark: yaml.Mark) -> Place:
        return Place(self.origin, mark.line + 1 if self.has_lines else 0)

    def fault(self, place: Place, what: Text, *, remedy: Text = "", loc: Loc = ()) -> None:
        where = f"{place}: {dotted(loc)}" if loc else str(place)
        self.faults.append((place, Fault(where, what, remedy=remedy)))

    def syntax(self, error: yaml.MarkedYAMLError) -> None:
        problem, context = error.problem or "", error.context or ""
        unknown = _Complaint(
            "",
            say("this is not readable as YAML: {problem}", problem=problem),
            say("check quotes, brackets and the indent"),
        )
        complaints = (
            own for own in _known_complaints() if own.part in problem or own.part in context
        )
        complaint = next(complaints, unknown)
        at_start = complaint.at_start and error.context_mark
        mark = error.context_mark if at_start else error.problem_mark
        place = self.place(mark) if mark else Place(self.origin)
        self.fault(place, complaint.what, remedy=complaint.remedy)

    def root(self, node: yaml.Node) -> Node:
        return self.node(node, loc=(), place=self.place(node.start_mark))

    def node(self, node: yaml.Node, *, loc: Loc, place: Place) -> Node:
        if isinstance(node, yaml.ScalarNode):
            return Node(self.scalar(node, loc=loc), place)
        if node.tag not in {MAP, SEQ}:
            what = say("the tag `{tag}` is not supported", tag=node.tag)
            self.fault(place, what, remedy="drop it", loc=loc)
        if isinstance(node, yaml.MappingNode):
            return Node(self.mapping(node, loc=loc), place)
        items = [
            self.node(item, loc=(*loc, i), place=self.place(item.start_mark))
            for i, item in enumerate(node.value)
        ]
        return Node(items, place)

    def mapping(self, node: yaml.MappingNode, *, loc: Loc) -> dict[Key, Node]:
        entries: dict[Key, Node] = {}
        for key_node, value_node in node.value:
            place = self.place(key_node.start_mark)
            key = self.key(key_node, loc=loc)
            if key is None:
                continue
            value = self.node(value_node, loc=(*loc, key), place=place)
            if key in entries:
                line = entries[key].place.line
                what = say("the key stands twice")
                if line:
                    what = say("{what}, first on line {line}", what=what, line=line)
                self.fault(place, what, remedy="keep one of the two", loc=(*loc, key))
            # the first one stays, so that later faults are about what stands at its line
            entries.setdefault(key, value)
        return entries

    def key(self, node: yaml.Node, *, loc: Loc) -> Key | None:
        """Return a mapping's key, None where it cannot be one, which is a fault."""
        place = self.place(node.start_mark)
        if not isinstance(node, yaml.ScalarNode):
            remedy = "quote text that begins with `{` or `[`"
            self.fault(place, "a list or a mapping cannot be a key", remedy=remedy, loc=loc)
            return None
        key = self.scalar(node, loc=loc)
        if key is None:
            self.fault(place, "a key is empty", remedy="write `key: value`", loc=loc)
        return key

    def scalar(self, node: yaml.ScalarNode, *, loc: Loc) -> PlainScalar:
        try:
            return scalar_value(node.value, tag=node.tag)
        except ValueError as error:
            self.fault(self.place(node.start_mark), message_of(error), loc=loc)
            return str(node.value)


def source_of(root: Node | None, *, origin: str) -> DocumentSource:
    """Return where each field of a tree stands."""
    return DocumentSource(origin, root.places() if root else {})


class _Complaint(NamedTuple):
    """A part of PyYAML's messages, with what a planner reads and what to do."""

    part: str
    what: Message
    remedy: Message
    at_start: bool = False
    """Whether the fault lies where the construct began rather than where the parser gave up."""


def _known_complaints() -> tuple[_Complaint, ...]:
    return (
        _Complaint(
            "'\\t'",
            say("a tab stands where YAML allows only spaces"),
            say("replace tabs by spaces"),
        ),
        _Complaint(
            "an alias",
            say("an alias (`*name`) is not supported"),
            say("write the value out where it is used, or quote text that begins with `*`"),
        ),
        _Complaint(
            "mapping values are not allowed",
            say("a `:` stands where no key can be"),
            say("check the indent, and quote text that contains `: `"),
        ),
        _Complaint(
            "could not find expected ':'",
            say("a key without its `:`"),
            say("write `key: value`"),
            at_start=True,
        ),
        _Complaint(
            "single document",
            say("a second document begins"),
            say("keep one document per file: remove the second `---`"),
        ),
        _Complaint(
            "scanning a quoted scalar",
            say("a quotation mark is opened and not closed"),
            say("close it"),
            at_start=True,
        ),
        _Complaint(
            "parsing a flow",
            say("a `{` or `[` is opened here and not properly closed"),
            say("check commas and closing brackets"),
            at_start=True,
        ),
        _Complaint(
            "expected <block end>",
            say("the indent does not fit the lines above"),
            say("align keys of one mapping, and items of one list, in one column"),
        ),
        _Complaint(
            "cannot start any token",
            say("text that begins with this character needs quotes"),
            say("quote it"),
        ),
    )
