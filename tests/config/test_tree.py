from __future__ import annotations

import pytest

from incentive_engine.config.document.tree import parse_tree


def messages(text: str) -> list[str]:
    return [str(fault) for _, fault in parse_tree(text, origin="a.yaml").faults]


def test_every_node_knows_its_line() -> None:
    tree = parse_tree("a: 1\nb:\n  - {c: 2}\n  - - 3\n    - 4\n", origin="a.yaml")
    assert tree.root is not None
    lines = {loc: place.line for loc, place in tree.root.places().items()}
    assert lines == {
        (): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 0, "c"): 3,
        ("b", 1): 4, ("b", 1, 0): 4, ("b", 1, 1): 5,
    }  # fmt: skip


def test_repeated_keys_are_faults_with_both_lines() -> None:
    found = messages("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert found == [
        "a.yaml:2: b.c: the key stands twice, first on line 2; keep one of the two",
        "a.yaml:3: a: the key stands twice, first on line 1; keep one of the two",
    ]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: 1\n\tb: 2\n", 2, "tab"),
        ("a:\n\t- 1\n", 2, "tab"),
        ("a: 1\nb: c: d\n", 2, "`:` stands where no key can be"),
        ("a: 1\n b: 2\n", 2, "`:` stands where no key can be"),
        ("a: 1\nb\nc: 3\n", 2, "without its `:`"),
        ("a: 1\nb: {c: 1\nd: 2\n", 2, "not properly closed"),
        ("a: 1\nb: [c, d\n", 2, "not properly closed"),
        ("a: 1\nb: 'c\nd: 2\n", 2, "quotation mark"),
        ("a:\n    b: 1\n  c: 2\n", 3, "indent"),
        ("a:\n  - 1\n b: 2\n", 3, "indent"),
        ("a: 1\nb: @c\n", 2, "needs quotes"),
        ("a: 1\nb: %5\n", 2, "needs quotes"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: &x 1\nb: *x\n", 2, "alias"),
        ("a: 1\nb: &x [*x]\n", 2, "alias"),
        ("a: 1\n[1]: 2\n", 2, "cannot be a key"),
        ("a: 1\n~: 2\n", 2, "key is empty"),
        ("a: 1\nb: !!set {c, d}\n", 2, "tag"),
        ("a: 1\nb: \x07\n", 2, "U+0007"),
    ],
)
def test_yaml_that_cannot_be_read_names_the_line(text: str, line: int, part: str) -> None:
    (message,) = messages(text)
    assert message.startswith(f"a.yaml:{line}: ")
    assert part in message


def test_a_merge_key_is_a_key_like_any_other() -> None:
    tree = parse_tree("<<: {a: 1}\n", origin="a.yaml")
    assert tree.root is not None
    assert tree.root.plain() == {"<<": {"a": 1}}


def test_deep_nesting_is_a_fault_and_no_crash() -> None:
    (message,) = messages("a: " + "[" * 5000 + "]" * 5000)
    assert "nested too deeply" in message


def test_aliases_cannot_blow_up_a_file() -> None:
    bomb = "a: &a [1]\n" + "".join(f"b{i}: [*a, *a, *a]\n" for i in range(9))
    (message,) = messages(bomb)
    assert "write the value out" in message
