"""Builds the site: lays pages out as in the repository, writes the reference, checks all links.

    .venv/bin/python docs/build_site.py [SITE]

Pages of the folder that the navigation does not name go under the chapter "Further".
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

import incentive_engine

ROOT = Path(__file__).parents[1]
SHOWN = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "docs",
    "policies",
    "simulations",
)
"""What pages may link to; the same relative links hold in the repository and on the site."""
SKIPPED = ("*.py", "__pycache__", "*.egg-info")


def main(site: Path) -> int:
    """Build the site into a directory, and return mkdocs' exit code; a broken link is an error."""
    with TemporaryDirectory() as folder:
        pages, settings = Path(folder) / "pages", Path(folder) / "mkdocs.yml"
        lay_out(pages)
        settings.write_text(configuration(pages, site), encoding="utf-8")
        words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--clean"]
        words += ["--config-file", str(settings)]
        return subprocess.run(words, cwd=ROOT, check=False).returncode  # noqa: S603 - our own words


def lay_out(pages: Path) -> None:
    """Copy what the site shows, and write the page of the library beside it."""
    pages.mkdir()
    for name in SHOWN:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, pages / name, ignore=shutil.ignore_patterns(*SKIPPED))
        else:
            shutil.copyfile(source, pages / name)
    (pages / "docs" / "reference.md").write_text(reference(), encoding="utf-8")


def reference() -> str:
    """Return the page with every name of the library, made from the docstrings."""
    lines = ["# Every name of the library", "", "`import incentive_engine as ie`", ""]
    for name in incentive_engine.__all__:
        home = "verify.verify_run" if name == "verify" else name  # a package is the function
        target = f"incentive_engine.{home}"
        lines += [f"## ie.{name}", "", f"::: {target}", ""]
    return "\n".join(lines)


def configuration(pages: Path, site: Path) -> str:
    """Return mkdocs' configuration, with the pages that its navigation does not name."""
    content = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    content |= {"docs_dir": str(pages), "site_dir": str(site)}
    content["plugins"][1]["mkdocstrings"]["handlers"]["python"]["paths"] = [str(ROOT)]
    named = set(_named(content["nav"]))
    written = sorted(str(page.relative_to(pages)) for page in pages.rglob("*.md"))
    if further := [page for page in written if page not in named]:
        content["nav"].append({"Further": further})
    return yaml.safe_dump(content, allow_unicode=True, sort_keys=False)


def _named(part: object) -> list[str]:
    if isinstance(part, str):
        return [part]
    parts = part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
    return [page for inner in parts for page in _named(inner)]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "site").absolute()))
