"""The catalogue's files: the words of pages in both languages, and what phrases are in Chinese."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Final

CHAPTERS: Final = (
    "page", "findings", "terminal", "history", "agents", "flywheel", "watch", "studio",
)  # fmt: skip
"""The catalogue's files, one each per language."""


def chinese_phrases() -> dict[str, str]:
    """Return English text to Chinese text."""
    # the catalogue's folder of English texts and what they are in Chinese, a file per package
    phrases = "phrases"
    folder = files("incentive_engine.language").joinpath("catalogue", phrases)
    texts = [tomllib.loads(file.read_text("utf-8")) for file in folder.iterdir()]
    return {key: text for chapter in texts for key, text in chapter.items()}


def chapter_of(name: str, code: str) -> dict[str, str]:
    """Return one file of the catalogue, dotted key to text."""
    file = files("incentive_engine.language").joinpath("catalogue", f"{name}.{code}.toml")
    return dict(_flat(tomllib.loads(file.read_text("utf-8"))))


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, entry in table.items():
        if isinstance(entry, Mapping):
            yield from _flat(entry, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", entry
