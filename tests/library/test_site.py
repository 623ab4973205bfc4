"""The site of `make docs`: every page, no broken link."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = sys.executable


def test_the_site_has_every_page_and_no_broken_link(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [PYTHON, ROOT / "docs" / "build_site.py", tmp_path / "site"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    pages = {page.relative_to(ROOT).with_suffix(".html") for page in (ROOT / "docs").rglob("*.md")}
    built = {page.relative_to(tmp_path / "site") for page in (tmp_path / "site").rglob("*.html")}
    assert {page for page in pages if page.stem != "README"} <= built
    reference = (tmp_path / "site" / "docs" / "reference.html").read_text(encoding="utf-8")
    assert "Return the plan that decides one offer or none for each user." in reference
    assert "http" not in "".join(
        line.split('src="')[1] for line in reference.splitlines() if 'src="' in line
    )


def test_a_broken_link_would_be_an_error(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "index.md").write_text("[there](nowhere.md) [here](#nothing)", encoding="utf-8")
    validation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("validation:")[1]
    links = validation.splitlines()[1]
    settings = (
        f"site_name: x\ndocs_dir: {pages}\nsite_dir: {tmp_path}/site\nvalidation:\n{links}\n"
    )
    (tmp_path / "mkdocs.yml").write_text(settings, encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - our own program
        [PYTHON, "-m", "mkdocs", "build", "--strict", "--config-file", tmp_path / "mkdocs.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr
    assert "#nothing" in done.stderr
