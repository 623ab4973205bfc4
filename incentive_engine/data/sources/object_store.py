"""Files of an object store, copied here once per version."""

from __future__ import annotations

import fnmatch
import json
import shutil
from pathlib import Path
from typing import Any

from incentive_engine.config.access.location import Location, is_wild, local
from incentive_engine.data.step_cache import StepCache
from incentive_engine.data.tables.formats import is_parquet, is_table
from incentive_engine.errors import DataError, Fault


def copied_here(location: Location) -> Location:
    """Return where copies of an object store's files lie; files that have not changed stay.

    Raises
    ------
    DataError
        When the store says no, or has nothing there.
    """
    try:
        store, base = _opened(location.address)
        files = _listed(store, base)
    except OSError as error:
        raise DataError(_refused(location, error)) from None
    except ValueError:  # what arrow says may repeat a secret
        what, expected = "is no address of an object store", "s3://BUCKET/PATH?region=…"
        remedy = "a pattern has `*` or `[…]`; `?` begins the parameters"
        raise DataError(Fault(location.where, what, expected, remedy)) from None
    if not files:
        what = "the store has no CSV or Parquet file there"
        raise DataError(Fault(location.where, what, "s3://BUCKET/PATH", "look at the bucket"))
    is_file = len(files) == 1 and files[0].path == base
    root = Path(base).parent if is_file else _fixed(base)
    version = {
        "shown": location.shown,
        # sizes and times tell a new version, so that nothing is read to know of it
        "files": json.dumps([[file.path, file.size, str(file.mtime)] for file in files]),
    }

    def build(folder: Path) -> None:
        for file in files:
            target = folder / "files" / Path(file.path).relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            with store.open_input_stream(file.path) as here, target.open("wb") as out:
                shutil.copyfileobj(here, out, 1 << 22)

    try:
        step = StepCache().run("object-store", version, build)
    except OSError as error:
        raise DataError(_refused(location, error)) from None
    copies = step.path / "files"
    return local(copies / Path(base).name if is_file else copies)


def _opened(address: str) -> tuple[Any, str]:
    from pyarrow.fs import FileSystem

    wild = next(
        (place for place, letter in enumerate(address) if is_wild(letter, letters="*[")), None
    )
    if wild is None:
        store, base = FileSystem.from_uri(address)
        return store, str(base)
    path, _, parameters = address.partition("?")
    start = path.rindex("/", 0, wild)
    store, base = FileSystem.from_uri(path[:start] + (f"?{parameters}" if parameters else ""))
    return store, str(base) + path[start:]


def _fixed(base: str) -> Path:
    """Return the folder below which folder names count: up to the first pattern."""
    names = base.split("/")
    wild = next((place for place, name in enumerate(names) if is_wild(name)), None)
    return Path("/".join(names[:wild]))


def _listed(store: Any, base: str) -> list[Any]:  # noqa: ANN401 - pyarrow has no types
    """Return the table files at a place, below it, or by a pattern, by name."""
    from pyarrow.fs import FileSelector, FileType

    info = store.get_file_info(base)
    if info.type == FileType.File:
        return [info]
    pattern = is_wild(base)
    selector = FileSelector(str(_fixed(base)), recursive=True, allow_not_found=True)
    files = [file for file in store.get_file_info(selector) if file.type == FileType.File]
    wanted = [file for file in files if is_table(file.path) or "/_delta_log/" in file.path]
    chosen = [file for file in wanted if not pattern or _is_meant(file.path, base)]
    return sorted(chosen, key=lambda file: str(file.path))


def _is_meant(path: str, pattern: str) -> bool:
    """Whether a pattern names a file, or a folder that the file is a Parquet part of.

    As on a disk: `*` stays within one name, `**` is any number of folders, and none of
    them finds what is hidden.

    >>> [_is_meant(path, "b/*.csv") for path in ("b/x.csv", "b/c/x.csv", "b/.x.csv")]
    [True, False, False]
    >>> [_is_meant(path, "b/**/x.csv") for path in ("b/x.csv", "b/c/d/x.csv", "b/.c/x.csv")]
    [True, True, False]
    >>> [_is_meant(path, "b/day=*") for path in ("b/day=1/x.parquet", "b/day=1/x.csv")]
    [True, False]
    """
    names, patterns = path.split("/"), pattern.split("/")
    if _fits(names, patterns):
        return True
    if not is_parquet(Path(path)):
        return False
    return any(
        _fits(names[:depth], patterns) and not any(name[:1] in "._" for name in names[depth:])
        for depth in range(1, len(names))
    )


def _fits(names: list[str], patterns: list[str]) -> bool:
    if not patterns:
        return not names
    first, further = patterns[0], patterns[1:]
    if first == "**":
        shown = next((i for i, name in enumerate(names) if name.startswith(".")), len(names))
        return any(_fits(names[depth:], further) for depth in range(shown + 1))
    if not names or (names[0].startswith(".") and not first.startswith(".")):
        return False
    return fnmatch.fnmatchcase(names[0], first) and _fits(names[1:], further)


def _refused(location: Location, error: OSError) -> Fault:
    """Return why a store says no; its own words may hold the request's keys."""
    text = str(error)
    reasons = {
        "ACCESS_DENIED": "you may not read it",
        "NO_SUCH_BUCKET": "there is no such bucket",
        "NO_SUCH_KEY": "there is no such file",
        "NETWORK_CONNECTION": "the store does not answer",
    }
    what = next((words for code, words in reasons.items() if code in text), "cannot be read")
    remedy = "see AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL"
    return Fault(location.where, what, "an object store that answers", remedy)
