"""Every source file that makes a cached step is in the step's key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

import incentive_engine
from incentive_engine.data import step_cache
from incentive_engine.data.step_cache import SOURCES, _engine, source_digest
from incentive_engine.data.tables.files import digest_file
from incentive_engine.insight.budget.response import RESPONSE_SOURCES

ROOT = Path(incentive_engine.__file__).parent
STEPS = {
    "incentive_engine.pipeline.campaign": (),
    "incentive_engine.insight.budget.response": RESPONSE_SOURCES,
}
"""The modules that run cached steps, and what they name beyond `SOURCES`."""
FACE = {"incentive_engine", "incentive_engine.report"}
"""What the builders import without computing with it: the root, and typed page contents."""


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Return a list: the digest of a file that one puts there changes."""
    files: list[Path] = []
    monkeypatch.setattr(
        step_cache,
        "digest_file",
        lambda file: "changed" if file in files else digest_file(file),
    )
    yield files
    source_digest.cache_clear()
    _engine.cache_clear()


def _closure(module: str) -> set[Path]:
    graph = grimp.build_graph("incentive_engine", cache_dir=None)
    for name in graph.find_modules_directly_imported_by("incentive_engine"):
        graph.remove_import(importer="incentive_engine", imported=name)  # named there, not loaded
    used = {module} | graph.find_upstream_modules(module)
    names = (
        name
        for name in used
        if name not in FACE and not name.startswith("incentive_engine.report.")
    )
    paths = (ROOT / "/".join(name.split(".")[1:]) for name in names)
    return {
        file
        for path in paths
        for file in (path.with_suffix(".py"), path / "__init__.py")
        if file.is_file()
    }


@pytest.mark.parametrize("module", STEPS)
def test_a_change_of_any_file_that_makes_a_step_changes_its_key(
    module: str, changed: list[Path]
) -> None:
    source_digest.cache_clear()
    _engine.cache_clear()
    before = _engine(STEPS[module])
    for file in sorted(_closure(module)):
        changed[:] = [file]
        source_digest.cache_clear()
        _engine.cache_clear()
        assert _engine(STEPS[module]) != before, file


def test_a_part_that_the_engine_does_not_have_is_an_error() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        source_digest("nonsense")


def test_no_part_is_named_twice() -> None:
    assert len(set(SOURCES)) == len(SOURCES)
