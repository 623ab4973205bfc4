"""``--set KEY=VALUE``: changes to what a file says, made before it is checked."""

from __future__ import annotations

import re
from collections.abc import Iterator

from incentive_engine.config.document.places import Place
from incentive_engine.config.document.tree import Key, Node, parse_tree
from incentive_engine.errors import Fault, nearest
from incentive_engine.language import say


def hidden(setting: str) -> str:
    """Return a setting as a message repeats it.

    >>> hidden("data.users=postgresql://me:secret@db/crm?table=u")
    'data.users=postgresql://me:…@db/crm?table=u'
    """
    # what of a URL in a setting is not repeated
    return re.sub(
        r"(://[^\s:/@]*):[^\s]*@|(?i:(password|secret|token)=)[^\s&]*",
        lambda found: f"{found[1]}:…@" if found[1] else f"{found[2]}=…",
        setting,
    )


def apply_setting(root: Node, setting: str) -> list[Fault]:
    """Change one value of the tree; null removes it. Return what is wrong with the setting.

    A part of the path that stands in a list is the name, id or column of an item, or its
    position from 0, after a dot or in brackets. What is new in a mapping is added; whether it is
    known is checked later.
    """
    origin = f"--set {hidden(setting)}"
    path, equals, text = setting.partition("=")
    if not equals or not path.strip() or not text.strip():
        return [Fault(origin, "no value", "KEY=VALUE, or KEY=null to leave it out")]
    tree = parse_tree(text, origin=origin, has_lines=False)
    if tree.faults or tree.root is None:
        return [fault for _, fault in tree.faults]
    return _put(root, path.strip(), _moved(tree.root, origin), origin=origin)


def _moved(node: Node, origin: str) -> Node:
    node.place = Place(origin)
    return node


def _put(node: Node, path: str, new: Node, *, origin: str) -> list[Fault]:
    step = _step(node, path)
    if step is None:
        if not isinstance(node.value, dict):
            return [_no_such(node, path, origin=origin)]
        step = _first(path)
    key, below = step
    if below and isinstance(node.value, dict) and key not in node.value:
        node.value[key] = Node({}, Place(origin))
    if below:
        return _put(_child(node, key), below, new, origin=origin)
    _replace(node, key, new)
    return []


def _step(node: Node, path: str) -> tuple[Key, str] | None:
    """Return the key that the path goes on with, the longest that fits, and the rest."""
    fits = [
        (len(name), key, _below(path[len(name) :]))
        for name, key in _entries(node)
        if path == name or path.startswith((f"{name}.", f"{name}["))
    ]
    return max(fits, key=lambda fit: fit[0])[1:] if fits else None


def _below(rest: str) -> str:
    """Return the path behind a name: without the dot, or the brackets around the next part.

    >>> _below(".at_most"), _below("[region cap].at_most"), _below("[off[1]]")
    ('at_most', 'region cap.at_most', 'off[1]')
    """
    if not rest.startswith("["):
        return rest[1:]
    end = rest.find("].") if "]." in rest else len(rest) - 1 if rest.endswith("]") else -1
    return rest[1:] if end < 0 else rest[1:end] + rest[end + 1 :]


def _first(path: str) -> tuple[str, str]:
    """Return the first part of a path whose names are not known, and the rest.

    >>> _first("bugdet.amount"), _first("limit[roi].at_least")
    (('bugdet', 'amount'), ('limit', 'roi.at_least'))
    """
    end = min(
        (place for place in (path.find("."), path.find("[")) if place >= 0), default=len(path)
    )
    return path[:end], _below(path[end:])


def _entries(node: Node) -> Iterator[tuple[str, Key]]:
    """Yield names of what stands directly below a node, with keys or positions."""
    if isinstance(node.value, dict):
        yield from ((str(key), key) for key in node.value)
    if isinstance(node.value, list):
        for index, item in enumerate(node.value):
            yield from ((name, index) for name in _names(item))
        yield from ((str(index), index) for index in range(len(node.value)))


def _names(item: Node) -> Iterator[str]:
    below = item.value if isinstance(item.value, dict) else {}
    # keys by whose value an item of a list can be addressed
    names = ("name", "id", "column")
    yield from (str(below[key].value) for key in names if key in below)


def _child(node: Node, key: Key) -> Node:
    if isinstance(node.value, dict):
        return node.value[key]
    if isinstance(node.value, list) and isinstance(key, int):
        return node.value[key]
    raise TypeError(f"nothing stands below {node.place}")


def _replace(node: Node, key: Key, new: Node) -> None:
    if isinstance(node.value, dict):
        # null takes the key away, so that its default holds
        if new.value is None:
            node.value.pop(key, None)
        else:
            node.value[key] = new
    elif isinstance(node.value, list) and isinstance(key, int):
        node.value[key : key + 1] = [] if new.value is None else [new]


def _no_such(node: Node, path: str, *, origin: str) -> Fault:
    part, _ = _first(path)
    if isinstance(node.value, list):
        names = dict.fromkeys(name for item in node.value for name in _names(item))
        return Fault(origin, say("there is no `{part}`", part=part), remedy=nearest(part, names))
    return Fault(
        origin,
        say("`{part}` cannot stand below a single value", part=part),
        "a list or a mapping there",
    )
