"""Templates are compiled in each process: no code is kept where others may write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from incentive_engine.report import frame
from incentive_engine.report.pages.page import render_report

from .examples import bare


@pytest.fixture(autouse=True)
def _afresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INCENTIVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(frame, "templates_of", frame.templates_of.__wrapped__)


def test_a_page_keeps_nothing(tmp_path: Path) -> None:
    assert "</html>" in render_report(bare())
    assert not os.path.lexists(tmp_path / "cache")
