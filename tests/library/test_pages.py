"""Pages that are notebooks in text form run from top to bottom."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import incentive_engine as ie

from .market import trial_frame, users_frame

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[str]:
    return [str(block) for block in BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "fewest"), [("tutorial.md", 15), ("library.md", 3)])
def test_every_block_of_a_page_runs(
    page: str, fewest: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shown = blocks(page)
    assert len(shown) >= fewest
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in shown:
        exec(compile(block, page, "exec"), namespace)  # noqa: S102 - our own page


def test_a_block_that_fails_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("text\n\n```python\nx = 1\n```\n\n```sh\nls\n```\n", encoding="utf-8")
    assert BLOCK.findall(page.read_text(encoding="utf-8")) == ["x = 1\n"]


@pytest.mark.parametrize("page", ["../README.md", "README.zh-CN.md"])
def test_the_ten_lines_of_the_first_screen_run(
    page: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = blocks(page)
    first_screen = (DOCS / page).read_text(encoding="utf-8").splitlines()[:45]
    assert "import incentive_engine as ie" in first_screen
    assert "make demo" in "".join(first_screen)
    namespace: dict[str, Any] = {"trial_frame": trial_frame(), "users_frame": users_frame(500)}
    exec(compile(block, page, "exec"), namespace)  # noqa: S102 - our own page
    assert ie.verify(tmp_path / "runs" / "spring").ok
