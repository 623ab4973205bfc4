from pathlib import Path

import pytest

from incentive_engine.data import step_cache
from incentive_engine.data.step_cache import source_digest


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of an engine of three files."""
    root = tmp_path / "engine"
    for name in ("domain.py", "report/page.html", "report/__pycache__/page.pyc"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    monkeypatch.setattr(step_cache, "ROOT", root)
    return root


def digest(*parts: str) -> str:
    source_digest.cache_clear()
    try:
        return source_digest(*parts)
    finally:
        source_digest.cache_clear()


def test_every_file_of_the_engine_counts_and_what_python_compiles_does_not(engine: Path) -> None:
    before = digest()
    (engine / "report" / "__pycache__" / "page.pyc").write_text("compiled anew")
    assert digest() == before
    (engine / "report" / "page.html").write_text("another page")
    assert digest() != before


def test_only_the_named_parts_count(engine: Path) -> None:
    whole, domain = digest(), digest("domain.py")
    (engine / "report" / "page.html").write_text("another page")
    assert (digest() == whole, digest("domain.py") == domain) == (False, True)


def test_a_name_counts_as_much_as_the_content(engine: Path) -> None:
    before = digest()
    (engine / "domain.py").rename(engine / "words.py")
    assert digest() != before
