from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.runs import solved

from .harness import Caller, studio


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A planner's folder: policy.yaml, scores.parquet and run, of 400 users."""
    where = tmp_path_factory.mktemp("planner")
    solved(where, users=400, budget={"amount": 600.0}, demands={"author": "Ann"})
    return where


@pytest.fixture(scope="package")
def planner(folder: Path) -> Iterator[Caller]:
    with studio(folder) as caller:
        yield caller
