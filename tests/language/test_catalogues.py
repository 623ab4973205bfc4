"""Both catalogues say the same things, and the page uses nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter

import pytest

from incentive_engine.language import LANGUAGES, Code, chapters, language

PACKAGE = Path(__file__).parents[2] / "incentive_engine"
WORD = re.compile(r"[A-Za-z]{3}")
HAN = re.compile(r"[\u4e00-\u9fff]")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_the_catalogues_have_the_same_keys_and_placeholders() -> None:
    english, chinese = (language(code).words for code in LANGUAGES)
    assert english.keys() == chinese.keys()
    different = [
        key for key in english if placeholders(english[key]) != placeholders(chinese[key])
    ]
    assert different == []


def test_every_chinese_text_is_chinese_and_no_english_one_is() -> None:
    chinese = language("zh").words
    assert [
        key for key, text in chinese.items() if not HAN.search(text) and WORD.search(bare(text))
    ] == []
    assert [key for key, text in language("en").words.items() if HAN.search(text)] == []


def bare(text: str) -> str:
    """Return a text without its placeholders."""
    return re.sub(r"\{[^}]*\}", "", text)


def test_no_two_chapters_say_the_same_key() -> None:
    for code in LANGUAGES:
        keys = [key for chapter in chapters(code) for key in chapter]
        assert len(keys) == len(set(keys))


def test_every_text_that_the_program_names_is_there_and_every_text_is_named() -> None:
    sources = [
        path.read_text(encoding="utf-8")
        for pattern in ("**/*.py", "**/*.j2")
        for path in PACKAGE.glob(pattern)
    ]
    words = language("en").words
    quoted = {word for source in sources for word in re.findall(r"[\"']([\w.-]+)[\"']", source)}
    formed = {
        key
        for source in sources
        for begin in re.findall(r"[\"']([\w.-]+\.[\w-]*)(?:\{|[\"'] [+~])", source)
        for key in words
        if key.startswith(begin)
    }
    called = re.compile(r"\bsay\(\s*\"([\w-]+\.[\w.-]+)\"")
    said = {key for source in sources for key in called.findall(source)}
    assert said - words.keys() == set()
    parts = {key for key in words if {key, key.partition(".")[2]} & quoted}
    assert words.keys() - parts - formed - set(families(words)) == set()


def families(words: Mapping[str, str]) -> Iterator[str]:
    """Yield the texts whose keys come from elsewhere, such as a planner's measure."""
    for kind in ("measure", "steps", "check", "strategy", "proves", "explain", "point", "kind"):
        yield from (key for key in words if key.startswith(f"{kind}."))
    yield from (key for key in words if key.endswith(".nav"))


def test_an_unknown_text_is_an_error() -> None:
    with pytest.raises(KeyError):
        language("en")("headline.nothing_of_the_kind")


@pytest.mark.parametrize(
    ("code", "amount", "text"),
    [
        ("en", 200_000.0, "200,000"),
        ("zh", 200_000.0, "20万"),
        ("zh", 1_127_418.37, "112.7万"),
        ("zh", 120_000_000.0, "1.2亿"),
        ("zh", 9_999.0, "9,999"),
        ("zh", 99_999_999.0, "1亿"),
        ("zh", -50_000.0, "−5万"),
        ("zh", None, "–"),
    ],
)
def test_large_figures_read_as_the_language_says_them(
    code: Code, amount: float | None, text: str
) -> None:
    assert language(code).brief(amount) == text
