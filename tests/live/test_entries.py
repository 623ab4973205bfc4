"""What is read of a ledger, and what is said of where it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from incentive_engine.errors import IncentiveError
from incentive_engine.live.entries import copy_ledger, entries, open_for_reading
from incentive_engine.live.ledger.ledger import open_store, shown_place
from incentive_engine.live.watch.observed import reading

from .ledgers import terms

OTHER = "mysql://me:hunter2@db/pool"


def test_a_database_is_not_copied_as_a_file_and_keeps_its_password(tmp_path: Path) -> None:
    with pytest.raises(IncentiveError) as caught:
        copy_ledger("postgresql://me:hunter2@db/pool", tmp_path / "copy")
    assert "pg_dump" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_place_of_another_kind_is_never_shown_with_its_password(tmp_path: Path) -> None:
    looks: tuple[Callable[[], object], ...] = (
        lambda: shown_place(OTHER),
        lambda: list(entries(OTHER)),
        lambda: open_for_reading(OTHER),
        lambda: open_store(OTHER, terms()),
        lambda: ExitStack().enter_context(reading(OTHER)),
        lambda: copy_ledger(OTHER, tmp_path / "copy"),
    )
    for look in looks:
        with pytest.raises(IncentiveError) as caught:
            look()
        assert "`mysql://` cannot be read" in str(caught.value)
        assert "hunter2" not in str(caught.value)
