import subprocess
import sys
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.data.tables.arrow import (
    as_arrow,
    chosen_texts,
    coded,
    equal,
    is_missing,
    levels,
    numbers,
    text,
)
from incentive_engine.data.tables.types import plain_table

FLOATS = st.lists(st.one_of(st.none(), st.floats(width=32)), min_size=1)
TEXTS = st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8"))), min_size=1)


@given(values=FLOATS, start=st.integers(0, 20))
def test_numbers_come_back_from_any_part_of_a_column(
    values: list[float | None], start: int
) -> None:
    column = pa.array(values, pa.float32()).slice(start)
    theirs = column.to_numpy(zero_copy_only=False)
    ours = numbers(column)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, theirs)
    assert as_arrow(ours, is_missing(column)).to_pylist() == [
        None if np.isnan(x) else x for x in theirs.tolist()
    ]


@pytest.mark.parametrize("kind", ["int8", "uint64", "float16", "bool"])
def test_any_number_is_a_float(kind: str) -> None:
    column = pa.chunked_array([pa.array(np.array([1, 0], kind)), pa.array(np.array([1], kind))])
    assert numbers(column).tolist() == [1, 0, 1]


@given(values=TEXTS)
def test_levels_are_ascending_and_tell_every_row(values: list[str | None]) -> None:
    found = levels(coded(pa.array(values, pa.string())))
    assert list(found.labels) == sorted({value for value in values if value is not None})
    assert [None if code < 0 else found.labels[code] for code in found.code] == values


def test_levels_of_pieces_with_dictionaries_of_their_own_agree() -> None:
    pieces = [pa.array(part).dictionary_encode() for part in (["b", None], ["a", "b"])]
    found = levels(pa.chunked_array(pieces))
    assert (found.labels, found.code.tolist()) == (("a", "b"), [1, -1, 0, 1])


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([3, 1, 3], ["1", "3"]),
        ([3.0, None, float("nan")], ["3.0"]),
        ([0.0, -0.0], ["0.0"]),
        ([True, False], ["False", "True"]),
        ([date(2024, 1, 1)], ["2024-01-01 00:00:00"]),
        ([datetime(2024, 1, 1, 9, tzinfo=UTC)], ["2024-01-01 09:00:00"]),
    ],
)
def test_labels_read_as_people_write_them(values: list[object], labels: list[str]) -> None:
    table = plain_table(pa.table({"x": values}), where="x")
    assert [*map(str, levels(coded(table.column("x"))).labels)] == labels


@pytest.mark.parametrize(
    ("column", "value", "rows"),
    [
        (["a", None, "b"], "a", [0]),
        (["1", "2"], 1, []),
        ([1, 2], "1", []),
        ([1, 2], 2.0, [1]),
        ([1, 2], 10**30, []),
        ([1, 0], True, [0]),
        ([True, False], 0, [1]),
        ([2**53, 2**53 + 1], 2**53 + 1, [1]),
        ([0.5, None, float("nan")], 0.5, [0]),
        ([date(2024, 1, 1)], "2024-01-01", []),
    ],
)
def test_a_value_finds_its_rows(column: list[object], value: object, rows: list[int]) -> None:
    assert np.flatnonzero(equal(pa.array(column), value)).tolist() == rows


def test_chosen_texts_are_the_words_at_their_places() -> None:
    words = chosen_texts(np.array([1, -1, 0], dtype=np.int16), ["é", "第二"])
    assert words.to_pylist() == ["第二", None, "é"]
    assert text([]).to_pylist() == []


def test_nothing_here_loads_pandas() -> None:
    # pandas takes half a second to load, a sixth of what a plan may take
    lines = """
import sys
import numpy as np, pyarrow as pa
from incentive_engine.data.tables import arrow as c
words = c.coded(c.text(["b", "a", "b"]))
c.levels(words), c.equal(words, "a"), c.numbers(c.as_arrow(np.array([1.0, np.nan])))
c.chosen_texts(np.array([0, -1]), ["x"])
sys.exit("pandas" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", lines], check=False)  # noqa: S603 - our own
    assert ended.returncode == 0
