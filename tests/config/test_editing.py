"""A value is changed in a text, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from incentive_engine.config.document.editing import Edit, edited
from incentive_engine.config.document.places import Loc
from incentive_engine.config.document.tree import parse_tree
from incentive_engine.errors import ConfigError

POLICIES = sorted((Path(__file__).parents[2] / "policies").glob("*.yaml"))
TEXT = """\
a: 1  # one
b:        # a mapping
  c: two  # kept
  # a remark
d: [x, y]  # flow
e:
  - k: 1
    l: 2  # last
  - {k: 3, m: {n: 4}}
f: |
  a block
  of text
g:
"""


def change(loc: Loc, value: str | None) -> str:
    return edited(TEXT, [Edit(loc=loc, value=value)])


@pytest.mark.parametrize(
    ("loc", "value", "before", "after"),
    [
        (("a",), "200_000", "a: 1  #", "a: 200_000  #"),
        (("a",), None, "a: 1  # one\n", ""),
        (("b", "c"), "20万", "c: two", "c: 20万"),
        (("b", "z"), "5%", "  c: two  # kept\n", "  c: two  # kept\n  z: 5%\n"),
        (("b", "z", "y"), "1", "  c: two  # kept\n", "  c: two  # kept\n  z: {y: 1}\n"),
        (("d", 0), None, "[x, y]", "[y]"),
        (("d", 1), None, "[x, y]", "[x]"),
        (("d", 2), "no: way", "[x, y]", "[x, y, {no: way}]"),
        (("e", 0, "k"), None, "- k: 1\n    l: 2", "- l: 2"),
        (("e", 0, "l"), None, "    l: 2  # last\n", ""),
        (("e", 1), None, "  - {k: 3, m: {n: 4}}\n", ""),
        (("e", 2), "{k: 5}", "{n: 4}}\n", "{n: 4}}\n  - {k: 5}\n"),
        (("e", 1, "m", "n"), None, ", m: {n: 4}", ""),
        (("f",), "'x: y'", "|\n  a block\n  of text", '"x: y"'),
        (("g",), "{h: 1}", "g:\n", "g: {h: 1}\n"),
        (("g", "h"), "1", "g:\n", "g: {h: 1}\n"),
        (("z",), "true", "g:\n", "g:\nz: true\n"),
    ],
)
def test_only_what_is_meant_changes(loc: Loc, value: str | None, before: str, after: str) -> None:
    assert change(loc, value) == TEXT.replace(before, after)


def test_changes_follow_each_other() -> None:
    changes = [Edit(loc=("e", 0), value=None), Edit(loc=("e", 0, "k"), value="9")]
    assert parse_tree(edited(TEXT, changes), origin="x").root is not None
    assert "- {k: 9, m: {n: 4}}" in edited(TEXT, changes)


@pytest.mark.parametrize(
    ("loc", "value"), [(("a",), "{"), (("a",), "x\ny: 1"), (("e", 9), "1"), (("a", "b"), "1")]
)
def test_what_cannot_be_changed_is_refused(loc: Loc, value: str) -> None:
    with pytest.raises(ConfigError):
        change(loc, value)


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.stem)
def test_every_value_of_a_real_policy_can_be_changed_and_removed(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    root = parse_tree(text, origin="x").root
    assert root is not None
    comments = [line.partition("#")[2] for line in text.splitlines() if line.startswith("#")]
    for loc in sorted(root.places(), key=str)[::5]:
        for value in ("5%", None) if loc else ():
            changed = edited(text, [Edit(loc=loc, value=value)])
            assert all(comment in changed for comment in comments)
