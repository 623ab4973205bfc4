from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.config.document.tree import parse_tree


def read(text: str) -> object:
    tree = parse_tree(f"x: {text}", origin="a.yaml")
    assert not tree.faults
    assert tree.root is not None
    content = tree.root.plain()
    assert isinstance(content, dict)
    return content["x"]


@pytest.mark.parametrize(
    "text",
    ["no", "No", "NO", "yes", "on", "off", "y", "n", "12:30", "1:2:3", "2025-11-11", "007", "0x1F",
     "0o17", "1_2", "1_0000", "88VIP", "25%", "200k", "=", "<<", "1.2.3", "1e", "e5", "+", "."],
)  # fmt: skip
def test_codes_times_and_words_stay_text(text: str) -> None:
    assert read(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("False", False), ("1", 1), ("-5", -5), ("0", 0), ("200_000", 200_000),
     ("1e6", 1e6), ("1.5E-3", 0.0015), (".5", 0.5), ("5.", 5.0), ("-.inf", -math.inf),
     ("null", None), ("~", None), ("", None), ("!!str 5", "5"), ("!!float 5", 5.0)],
)  # fmt: skip
def test_numbers_truth_values_and_nothing_are_what_they_are(text: str, value: object) -> None:
    found = read(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["'5'", '"true"', "'null'", '""'])
def test_quoted_scalars_are_text(text: str) -> None:
    assert read(text) == text[1:-1]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_that_python_writes_is_a_number(number: float) -> None:
    assert read(repr(number)) == number


@pytest.mark.parametrize("text", ["!!int abc", "!thing 5", "!!python/object:os.system x"])
def test_tags_that_do_not_fit_are_faults(text: str) -> None:
    tree = parse_tree(f"x: {text}", origin="a.yaml")
    assert "a.yaml:1: x" in str(tree.faults[0][1])
