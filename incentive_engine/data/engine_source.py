"""Which source the engine runs from: two builds may state the same version."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import incentive_engine
from incentive_engine.data.tables.files import digest_file
from incentive_engine.language import say


@functools.cache
def source_digest(*parts: str) -> str:
    """Return the SHA-256 digest of the engine's own files, by their names and contents.

    Parameters
    ----------
    parts
        Only these: packages or modules of the engine, such as ``config`` and ``domain.py``; left
        out, all of it, pages and phrases of reports included.

    Raises
    ------
    ValueError
        When the engine has no such part: a renamed package must not leave a digest silently.
    """
    root = Path(incentive_engine.__file__).parent
    whole = hashlib.sha256()
    for file in (file for name in parts or (".",) for file in _files(root / name)):
        whole.update(f"{file.relative_to(root).as_posix()} {digest_file(file)}\n".encode())
    return whole.hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ValueError(say("{name} is no part of the engine", name=repr(path.name)))
    return sorted(
        file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts
    )
