"""Files, folders and patterns on this machine."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote

from incentive_engine.config.access.location import Location, is_wild
from incentive_engine.config.access.regular import special_file
from incentive_engine.data.sources.parquet_files import ParquetPart
from incentive_engine.data.tables.files import check_suffix, unreadable
from incentive_engine.data.tables.formats import is_csv, is_gzip, is_parquet
from incentive_engine.errors import DataError, Fault


def files_of(location: Location) -> list[Path]:
    """Return the files that a location names, in the order of their names.

    Raises
    ------
    DataError
        When there is none, one cannot be read, is no table by its name, or CSV and Parquet mix.
    """
    path = Path(location.address)
    if location.is_pattern:
        paths = [Path(name) for name in sorted(glob.glob(location.address, recursive=True))]  # noqa: PTH207 - the pattern is a whole path
        inside = [file for name in paths for file in (parquet_inside(name) or [name])]
        # `**` finds a folder, the folders in it, and the files in those
        files = list(dict.fromkeys(inside))
        if not files:
            what, expected = "no file is called like that", "a pattern such as events/*.parquet"
            raise DataError(Fault(location.where, what, expected, "look at the folder's names"))
    elif path.is_dir():
        files = parquet_inside(path)
        if not files:
            what, expected = "is a directory without Parquet files", "files that end in .parquet"
            raise DataError(Fault(location.where, what, expected, "name the file itself"))
    else:
        files = [path]
    for file in files:
        check_readable(file)
    if len({is_csv(file) for file in files}) > 1:
        what = "CSV and Parquet stand side by side"
        raise DataError(
            Fault(location.where, what, "one kind of files", "narrow the pattern, as in *.parquet")
        )
    return files


def parquet_inside(folder: Path) -> list[Path]:
    """Return the Parquet files below a folder by name; what is hidden is left out."""
    if not folder.is_dir():
        return []
    paths = (file for file in folder.rglob("*") if is_parquet(file))
    return sorted(f for f in paths if f.is_file() and not _is_hidden(f.relative_to(folder)))


def _is_hidden(path: Path) -> bool:
    return any(name[0] in "._" for name in path.parts)


def parts_with_folders(files: Iterable[Path], location: Location) -> list[ParquetPart]:
    """Return Parquet files with the columns that stand in their folders' names, `name=value`.

    A value is a whole number if all of its column are canonical ones, otherwise text.
    """
    root = _root(location)
    written = [(file, _folder_values(file, root)) for file in files]
    numeric = {
        name: all(_is_integer(values[name]) for _, values in written if name in values)
        for _, first in written
        for name in first
    }
    return [
        ParquetPart(path=file, constants={n: _value(v, numeric[n]) for n, v in values.items()})
        for file, values in written
    ]


def _root(location: Location) -> Path:
    """Return the folder below which folder names are columns."""
    path = Path(location.address)
    if not location.is_pattern:
        return path if path.is_dir() else path.parent
    fixed = []
    for name in path.parts:
        if is_wild(name):
            break
        fixed.append(name)
    return Path(*fixed)


def _folder_values(file: Path, root: Path) -> Mapping[str, str]:
    folders = file.relative_to(root).parent.parts
    pairs = (name.split("=", 1) for name in folders if "=" in name)
    return {unquote(name): unquote(value) for name, value in pairs}


def _is_null(text: str) -> bool:
    # what writers of partitioned folders call a missing value
    return text == "__HIVE_DEFAULT_PARTITION__"


def _is_integer(text: str) -> bool:
    return _is_null(text) or (text.isascii() and str(_int(text)) == text)


def _int(text: str) -> int | None:
    digits = text.removeprefix("-")
    return int(text) if digits.isdigit() and len(digits) <= 18 else None


def _value(text: str, numeric: bool) -> int | str | None:  # noqa: FBT001 - called beside its name
    if _is_null(text):
        return None
    return int(text) if numeric else text


def check_readable(path: Path) -> None:
    """Refuse what is no readable table file, before anything waits for it.

    Raises
    ------
    DataError
        When it is missing, a directory, a pipe or a device, forbidden, empty, or another kind.
    """
    try:
        if special := special_file(path):
            remedy = "write what comes out of it into a file first"
            raise DataError(Fault(str(path), special, "a CSV or Parquet file", remedy))
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise DataError(unreadable(path, error)) from error
    if not is_gzip(path):
        check_suffix(path)
    if empty:
        raise DataError(Fault(str(path), "is empty", "a table with a header", "write it anew"))
