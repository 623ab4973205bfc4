"""Templates are compiled once, and a page needs no place to keep them."""

from __future__ import annotations

from pathlib import Path

import pytest

from incentive_engine.report import frame, render_report

from .examples import bare


@pytest.fixture(autouse=True)
def _afresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INCENTIVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(frame, "_environment", frame._environment.__wrapped__)


def test_a_page_of_kept_templates_is_the_page(tmp_path: Path) -> None:
    first = render_report(bare())
    kept = sorted((tmp_path / "cache" / "templates").rglob("*.cache"))
    assert kept
    times = [file.stat().st_mtime_ns for file in kept]
    assert render_report(bare()) == first
    assert [file.stat().st_mtime_ns for file in kept] == times


def test_a_page_is_made_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be", encoding="utf-8")
    assert "</html>" in render_report(bare())


def test_a_page_is_made_where_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr("jinja2.bccache.FileSystemBytecodeCache.dump_bytecode", full)
    assert "</html>" in render_report(bare())
