"""Paragraphs on a terminal."""

from __future__ import annotations

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from incentive_engine.language.terminal_text import CLOSING, OPENING, width, wrapped

TEXTS = st.lists(
    st.sampled_from(
        [*"写出方案再用复核，。（）「」 ", " ", "verify", "--min-marginal-roi", "a,b", "50%"]
    )
).map("".join)
WORD = re.compile(r"[A-Za-z0-9-]+")


@given(TEXTS, st.integers(4, 60))
def test_a_paragraph_keeps_its_letters_within_the_columns(text: str, columns: int) -> None:
    lines = wrapped(text, columns)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(width(line) <= columns for line in lines)


@given(TEXTS, st.integers(40, 60))
def test_no_word_is_broken_and_no_comma_begins_a_line(text: str, columns: int) -> None:
    assume(all(len(word) <= columns for word in text.split()))
    lines = wrapped(text, columns)
    words = [word for line in lines for word in WORD.findall(line)]
    assert len("".join(words)) == len("".join(WORD.findall(text)))
    assert set(words) <= set(WORD.findall(" ".join(text.split())))


def test_brackets_stay_with_what_they_hold() -> None:
    lines = wrapped("用 allocate 写出方案（见文档），再用 verify 逐项复核，最后导出。", 12)
    assert not any(line[0] in CLOSING or line[-1] in OPENING for line in lines)
