"""The catalogue's files: the words of pages in both languages, and what phrases are in Chinese."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any


def chinese_phrases() -> dict[str, str]:
    """Return English text to Chinese text."""
    # a file per package
    return {key: text for chapter in _read("phrases") for key, text in chapter.items()}


def chapters(code: str) -> list[dict[str, str]]:
    """Return the files of the catalogue in a language, each as dotted keys and texts."""
    return [dict(_flat(content)) for content in _read("", ending=f".{code}.toml")]


def _read(folder: str, *, ending: str = ".toml") -> Iterator[dict[str, Any]]:
    """Yield the contents of a folder's files whose names end so."""
    for file in files("incentive_engine.language").joinpath("catalogue", folder).iterdir():
        if file.name.endswith(ending):
            yield tomllib.loads(file.read_text("utf-8"))


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, entry in content.items():
        if isinstance(entry, Mapping):
            yield from _flat(entry, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", entry
