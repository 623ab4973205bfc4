"""Changes of single values in a YAML text: what is not changed stays, comments included.

A value is replaced where it stands, a new key goes behind the last one of its mapping, and what
is removed takes its own lines along. The result is read again and compared with what was meant,
so that a text which cannot be changed like this is refused, and never damaged.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from incentive_engine.config.document.places import Loc, dotted
from incentive_engine.config.document.scalars import STR, scalar_tag
from incentive_engine.config.document.tree import parse_tree
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One value that is to be another.

    Attributes
    ----------
    loc
        The way to it: keys, and positions in lists; the position behind the last appends.
    value
        The new value as YAML text, on one line; None removes it.
    """

    loc: Loc
    value: str | None


def edited(text: str, changes: Sequence[Edit]) -> str:
    """Return a text with some values changed.

    >>> edited("{a: 1, b: [2, 3]}  # a comment", [Edit(loc=("a",), value="5%")])
    '{a: 5%, b: [2, 3]}  # a comment'

    Raises
    ------
    ConfigError
        When a new value is no YAML, or the text cannot be changed there.
    """
    for change in changes:
        before = plain_of(text)
        value = None if change.value is None else _value_of(change)
        after = _applied(before, change.loc, value)
        if after == before:
            continue
        written = _written(change.value, value) if change.value is not None else None
        text = _changed(text, change.loc, written)
        # the text is read again: what does not mean what was meant is refused, never saved
        if _plain_or_none(text) != after:
            where = dotted(change.loc)
            raise ConfigError(Fault(where, say("studio.no_edit"), remedy=say("studio.edit_text")))
    return text


def flow_text(value: object) -> str:
    """Return plain data as YAML on one line.

    >>> flow_text({"tier": ["88VIP", "no: way"], "x": None, "share": 0.5})
    '{tier: [88VIP, "no: way"], x: null, share: 0.5}'
    """
    if isinstance(value, dict):
        return f"{{{', '.join(f'{flow_text(k)}: {flow_text(v)}' for k, v in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow_text, value))}]"
    return _scalar_text(value)


def _scalar_text(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:.15g}" if isinstance(value, float) else str(value)
    text = str(value)
    # text that needs no quotes anywhere
    plain = (
        re.fullmatch(
            r"[^\W_](?:[\w%./+*-]| (?=\S))*",
            re.sub(r"[\u4e00-\u9fff]+", "x", text),
            flags=re.ASCII,
        )
        and scalar_tag(text) == STR
    )
    return text if plain else json.dumps(text, ensure_ascii=False)


def _value_of(change: Edit) -> object:
    tree = parse_tree(change.value or "", origin=dotted(change.loc), has_lines=False)
    if tree.faults:
        raise ConfigError(*(fault for _, fault in tree.faults))
    if tree.root is None:
        return None
    return tree.root.plain()


def _written(given: str, value: object) -> str:
    """Return a value as it goes into the text: a number as it was typed, such as 200_000."""
    given = given.strip()
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return given if is_number and re.fullmatch(r"[\d._eE+-]+", given) else flow_text(value)


def plain_of(text: str) -> dict[str, Any]:
    """Return what a policy's text holds, as plain data.

    Raises
    ------
    ConfigError
        When it is no YAML, or no keys with values.
    """
    tree = parse_tree(text, origin="policy")
    if tree.faults:
        raise ConfigError(*(fault for _, fault in tree.faults))
    content = None if tree.root is None else tree.root.plain()
    if not isinstance(content, dict):
        remedy = "begin with `version: 1` and a `name`"
        raise ConfigError(Fault("policy", say("studio.no_mapping"), remedy=remedy))
    return content


def _plain_or_none(text: str) -> object:
    tree = parse_tree(text, origin="policy")
    return None if tree.faults or tree.root is None else tree.root.plain()


def _applied(plain: Any, loc: Loc, value: object) -> object:  # noqa: ANN401 - whatever YAML holds
    """Return plain data in which one value is another; None removes it."""
    plain = copy.deepcopy(plain)
    parent: Any = plain
    for key in loc[:-1]:
        if isinstance(parent, dict) and parent.get(key) is None and value is not None:
            parent[key] = {}
        try:
            parent = parent[key]
        except (KeyError, IndexError, TypeError):
            if value is None:
                return plain
            raise ConfigError(
                Fault(dotted(loc), say("studio.no_place"), remedy=say("studio.edit_text"))
            ) from None
    last: Any = loc[-1]
    if value is None:
        if isinstance(parent, dict):
            parent.pop(last, None)
        elif isinstance(parent, list) and isinstance(last, int) and last < len(parent):
            del parent[last]
    elif isinstance(parent, list) and last == len(parent):
        parent.append(value)
    else:
        try:
            parent[last] = value
        except (IndexError, TypeError):
            raise ConfigError(
                Fault(dotted(loc), say("studio.no_place"), remedy=say("studio.edit_text"))
            ) from None
    return _without_empty(plain, loc)


def _without_empty(plain: Any, loc: Loc) -> object:  # noqa: ANN401 - whatever YAML holds
    """Return plain data without the lists and mappings that a removal has left empty."""
    for depth in range(len(loc) - 1, 0, -1):
        above: Any = plain
        for key in loc[: depth - 1]:
            above = above[key]
        last: Any = loc[depth - 1]
        if above[last] in ({}, []):
            del above[last]
    return plain


@dataclass(slots=True)
class _Entry:
    """What stands in a mapping or list: from its key, or its dash, to the end of its value."""

    start: int
    value: yaml.Node
    end: int


def _changed(text: str, loc: Loc, value: str | None) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None
    node, left = root, loc
    trail: list[tuple[yaml.CollectionNode, _Entry]] = []
    while left and isinstance(node, yaml.CollectionNode):
        entry = _entry(text, node, left[0])
        if entry is None:
            break
        trail.append((node, entry))
        node, left = entry.value, left[1:]
    if value is None:
        return text if left else _removed(text, trail)
    if not left:
        return _replaced(text, node, value)
    # mappings that are not there yet are written around the value, the innermost first
    for key in reversed(left[1:]):
        value = f"{{{flow_text(key)}: {value}}}"
    if not isinstance(node, yaml.CollectionNode):  # a key without a value, which becomes a mapping
        return _replaced(text, node, f"{{{flow_text(left[0])}: {value}}}")
    written = value if isinstance(node, yaml.SequenceNode) else f"{flow_text(left[0])}: {value}"
    return _added(text, node, written)


def _entries(text: str, node: yaml.Node) -> list[_Entry]:
    if isinstance(node, yaml.MappingNode):
        pairs = [(key.start_mark.index, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        flow = node.flow_style
        pairs = [
            (item.start_mark.index if flow else text.rindex("-", 0, item.start_mark.index), item)
            for item in node.value
        ]
    else:
        return []
    return [_Entry(start, value, _end(value)) for start, value in pairs]


def _entry(text: str, node: yaml.Node, key: object) -> _Entry | None:
    entries = _entries(text, node)
    if isinstance(node, yaml.SequenceNode):
        return entries[key] if isinstance(key, int) and key < len(entries) else None
    if isinstance(node, yaml.MappingNode):
        names = [str(name.value) for name, _ in node.value]
        return entries[names.index(str(key))] if str(key) in names else None
    return None


def _end(node: yaml.Node) -> int:
    """Return where a value ends: PyYAML puts the end of a block behind the comments after it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _replaced(text: str, node: yaml.Node, value: str) -> str:
    start, end = int(node.start_mark.index), _end(node)
    if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
        end = len(text[:end].rstrip())
    gap = " " if start == end and text[start - 1 : start] == ":" else ""
    return text[:start] + gap + value + text[end:]


def _added(text: str, node: yaml.CollectionNode, written: str) -> str:
    entries = _entries(text, node)
    if node.flow_style or not entries:
        at = entries[-1].end if entries else int(node.start_mark.index) + 1
        return text[:at] + (", " if entries else "") + written + text[at:]
    indent = " " * _column(text, entries[0].start)
    at = _line_end(text, entries[-1].end)
    dash = "- " if isinstance(node, yaml.SequenceNode) else ""
    line = f"{indent}{dash}{written}\n"
    return f"{text[:at]}{'' if text[:at].endswith(chr(10)) else chr(10)}{line}{text[at:]}"


def _removed(text: str, trail: list[tuple[yaml.CollectionNode, _Entry]]) -> str:
    """Remove the last entry of a way, and whatever would stand empty without it."""
    # a key without anything below it would mean `null`, not that it was left out
    while len(trail) > 1 and len(trail[-1][0].value) == 1:
        trail = trail[:-1]
    node, entry = trail[-1]
    entries = _entries(text, node)
    at = next(i for i, other in enumerate(entries) if other.start == entry.start)
    if node.flow_style:
        if at + 1 < len(entries):
            return text[: entry.start] + text[entries[at + 1].start :]
        start = entries[at - 1].end if at else entry.start
        return text[:start] + text[entry.end :]
    line = text.rfind("\n", 0, entry.start) + 1
    if text[line : entry.start].strip():  # behind a dash: the next key takes its place
        return text[: entry.start] + text[entries[at + 1].start :]
    return text[:line] + text[_line_end(text, entry.end) :]


def _column(text: str, at: int) -> int:
    return at - (text.rfind("\n", 0, at) + 1)


def _line_end(text: str, at: int) -> int:
    """Return where the next line begins."""
    if text[at - 1 : at] == "\n":
        return at
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1
