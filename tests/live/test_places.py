"""A ledger's place is a file, or a database; a folder is refused before anything is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incentive_engine.errors import DataError
from incentive_engine.live.ledger.ledger import open_store


@pytest.mark.parametrize("place", ["", ".", "..", "/"])
def test_a_folder_is_no_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    terms: Any = None
    with pytest.raises(DataError, match="is a directory, expected a ledger's file"):
        open_store(place, terms)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    terms: Any = None
    with pytest.raises(DataError, match="cannot be opened: the name is too long"):
        open_store(str(tmp_path / ("x" * 300)), terms)
