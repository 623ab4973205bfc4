"""Whatever the program says in English where it finds it has its Chinese."""

from __future__ import annotations

import re
from pathlib import Path

import incentive_engine
from incentive_engine.language import chinese_phrases, language

from .phrases import needs_words, said

WAITING = ("service/",)


def placeholders(text: str) -> set[str]:
    """Return the names in braces; what only looks so, such as YAML, is named by both as it is."""
    return set(re.findall(r"\{(\w+)[:}]", text))


def texts() -> dict[str, str]:
    """Return English texts, each with a place where it is said."""
    words = language("en").words
    return {
        one.text: one.place
        for one in said()
        if one.text is not None and one.text not in words and needs_words(one.text)
    }


def test_every_text_has_its_chinese() -> None:
    chinese = chinese_phrases()
    lacking = [f"{place}: {text}" for text, place in texts().items() if text not in chinese]
    lacking = [one for one in lacking if not one.startswith(WAITING)]
    assert lacking == [], "add them to incentive_engine/language/catalogue/phrases"


def test_no_text_is_put_together_where_it_is_said() -> None:
    put_together = [one.place for one in said() if one.text is None]
    put_together = [one for one in put_together if not one.startswith(WAITING)]
    assert put_together == [], 'write say("… {name} …", name=name)'


def test_the_chinese_names_what_the_english_names() -> None:
    different = [
        text
        for text, chinese in chinese_phrases().items()
        if placeholders(text) != placeholders(chinese)
    ]
    assert different == []


def test_every_step_has_its_words() -> None:
    folder = Path(incentive_engine.__file__).parent
    texts = [file.read_text(encoding="utf-8") for file in folder.rglob("*.py")]
    names = {name for text in texts for name in re.findall(r'\.step\(\s*"([^"]+)"', text)}
    assert "draw the page" in names
    keys = {f"steps.{name.replace(' ', '_')}" for name in names}
    assert keys - language("zh").words.keys() == set()
