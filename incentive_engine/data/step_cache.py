"""Steps that are skipped while nothing they depend on has changed."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final
from uuid import uuid4

from incentive_engine.data.tables.files import atomic_directory, digest_file
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import Text, say

ROOT: Final = Path(__file__).parents[1]
"""Where the engine's own files are."""
SOURCES: Final = (
    "domain.py",
    "cores.py",
    "errors.py",
    "knobs.py",
    "language",
    "jit.py",
    "parallel.py",
    "fleet.py",
    "stats",
    "config",
    "data",
    "synthetic",
    "features",
    "run",
    "uplift",
    "pipeline",
)
"""What cached steps are made by: a change there rebuilds them. A test compares it to imports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step's result.

    Attributes
    ----------
    path
        The directory with its files; nobody may write there.
    skipped
        Whether it was there already.
    seconds
        How long it took to find or to build it.
    """

    path: Path
    skipped: bool
    seconds: float


class StepCache:
    """Results of steps, kept by the digest of all that they depend on.

    Parameters
    ----------
    root
        Where they are kept; left out, `default_root`.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = (default_root() if root is None else root).absolute()

    def run(
        self,
        step: str,
        inputs: Mapping[str, str],
        build: Callable[[Path], None],
        *,
        sources: Collection[str] = (),
    ) -> Step:
        """Return a step's files, building them only when there are none for these inputs.

        Parameters
        ----------
        step
            The step's name, usable as a directory's.
        inputs
            Name to digest or text of everything that the result depends on, beside the engine.
        build
            Gets an empty directory and fills it.
        sources
            Packages of the engine that take part, beside those of every step.

        Raises
        ------
        DataError
            When the cache may not be written to, or the disk is full.
        """
        started = time.perf_counter()
        entry = self._root / step / _key(step, inputs, tuple(sources))
        skipped = _is_whole(entry)
        if skipped:
            with suppress(OSError):  # a cache may be shared without the right to write
                os.utime(entry)
        else:
            self._build(entry, build)
            # only who builds looks for old entries: a run that finds all its steps pays nothing
            _forget_unused(entry.parent)
        return Step(path=entry, skipped=skipped, seconds=time.perf_counter() - started)

    def scratch(self, step: str) -> Path:
        """Return a step's directory, to be written to beside the entries.

        What stays there is removed as unused entries are.

        Raises
        ------
        DataError
            As `run`.
        """
        self._check_writable()
        folder = self._root / step
        folder.mkdir(0o700, exist_ok=True)
        return folder

    def _build(self, entry: Path, build: Callable[[Path], None]) -> None:
        """Build an entry; a whole one that another process puts there meanwhile is as good."""
        self._check_writable()
        _discard(entry)
        try:
            with atomic_directory(entry) as partial:
                build(partial)
                _list_of(partial).write_text(json.dumps(_digests(partial)), encoding="utf-8")
        except DataError:
            if not _is_whole(entry):
                raise

    def _check_writable(self) -> None:
        try:
            self._root.mkdir(0o700, parents=True, exist_ok=True)
            probe = self._root / f".{uuid4().hex}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            what = say("the cache cannot be written to: {reason}", reason=error)
            raise _no_place(str(self._root), what) from error


def default_root() -> Path:
    """Return where steps are kept unless told: ``$INCENTIVE_CACHE``, or the user's cache.

    The user's cache is ``incentive-engine`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.

    Raises
    ------
    DataError
        When nothing says where that is.
    """
    if own := os.environ.get("INCENTIVE_CACHE"):
        return Path(own)
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if shared.is_absolute():  # the specification says to ignore others
        return shared / "incentive-engine"
    try:
        return Path.home() / ".cache" / "incentive-engine"
    except RuntimeError as error:
        what = "the user has no home directory"
        raise _no_place("cache", what) from error


def _no_place(where: str, what: Text) -> DataError:
    remedy = "set INCENTIVE_CACHE to a directory that you may write to"
    return DataError(Fault(where, what, remedy=remedy))


def _key(step: str, inputs: Mapping[str, str], sources: tuple[str, ...]) -> str:
    whole = json.dumps([step, dict(inputs), _engine(sources)], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


@functools.cache
def _engine(more: tuple[str, ...]) -> dict[str, str]:
    """Return what of the engine a step depends on: its source and the libraries' versions."""
    source = source_digest(*SOURCES, *more)
    # whose versions the results of a step depend on
    libraries = ("incentive-engine", "numpy", "pandas", "pyarrow", "scipy", "lightgbm")
    return {"source": source, **{name: _version(name) for name in libraries}}


@functools.cache
def source_digest(*parts: str) -> str:
    """Return the SHA-256 digest of the engine's own files, by their names and contents.

    Two builds may state the same version.

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
    whole = hashlib.sha256()
    for file in (file for name in parts or (".",) for file in _files(ROOT / name)):
        whole.update(f"{file.relative_to(ROOT).as_posix()} {digest_file(file)}\n".encode())
    return whole.hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ValueError(say("{name} is no part of the engine", name=repr(path.name)))
    return sorted(
        file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts
    )


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "unknown"


def _digests(directory: Path) -> dict[str, str]:
    files = sorted(file for file in directory.rglob("*") if file.is_file())
    return {str(file.relative_to(directory)): digest_file(file) for file in files}


def _list_of(entry: Path) -> Path:
    """Return the file that lists an entry's files with their digests; it is written last."""
    return entry / "entry.json"


def _is_whole(entry: Path) -> bool:
    """Return whether an entry has exactly the files that it was built with."""
    try:
        stated = json.loads(_list_of(entry).read_text(encoding="utf-8"))
        present = _digests(entry)
    except (OSError, ValueError, DataError):
        return False
    present.pop(_list_of(entry).name, None)
    return bool(stated == present)


def _forget_unused(step: Path) -> None:
    """Remove what nothing has used for long, what killed processes left included."""
    # entries that no run has used for so long
    days = 60
    oldest = time.time() - days * 24 * 3600
    for entry in step.iterdir():
        with suppress(OSError):  # another process may be removing it too
            if entry.stat().st_mtime < oldest:
                _discard(entry)


def _discard(entry: Path) -> None:
    """Remove a broken entry, out of the way first, so that nobody meets half of it."""
    away = entry.with_name(f".{uuid4().hex}.discarded")
    try:
        entry.rename(away)
    except FileNotFoundError:
        return
    shutil.rmtree(away, ignore_errors=True) if away.is_dir() else away.unlink()
