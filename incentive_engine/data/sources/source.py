"""A table that can be read: one or more files with the same columns."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from incentive_engine import knobs
from incentive_engine.config.access.location import Location
from incentive_engine.data.sources.csv_files import csv_columns, csv_head, read_csv
from incentive_engine.data.sources.parquet_files import ParquetParts
from incentive_engine.data.tables.files import digest_file
from incentive_engine.data.tables.types import names_zone, plain_table, refuse_nested
from incentive_engine.domain import USER_ID
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A table to be read; made by `open_source`.

    Attributes
    ----------
    location
        Where it lies.
    files
        One CSV file, or the parts of a Parquet table, whose rows follow one another.
    names
        Column to what the files call it, in the files' order; without an unnamed index.
    """

    location: Location
    files: Path | ParquetParts
    names: Mapping[str, str]

    @property
    def where(self) -> str:
        """How messages call it; never with a password."""
        return self.location.where

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.names)

    @property
    def is_csv(self) -> bool:
        """Whether it is one CSV file, which is parsed as a whole."""
        return isinstance(self.files, Path)

    @property
    def single_file(self) -> Path | None:
        """The one Parquet file that has these rows and columns as they are, if there is one."""
        if isinstance(self.files, Path) or any(a != b for a, b in self.names.items()):
            return None
        only = self.files.parts[0]
        return only.path if len(self.files.parts) == 1 and not only.constants else None

    def from_anywhere(self) -> Source:
        """Return the same table for processes that run in other folders."""
        return replace(self, files=self.files.absolute())

    def rows(self) -> int | None:
        """Return how many rows there are by the files' own word; None for CSV."""
        return None if isinstance(self.files, Path) else self.files.rows()

    def schema(self) -> pa.Schema:
        """Return columns and types; a CSV file is read for it.

        Raises
        ------
        DataError
            When a column holds lists or structures, or as `table`.
        """
        if isinstance(self.files, Path):
            return self.table().schema
        refuse_nested(self.files.schema, where=self.where)
        kinds = [self.files.schema.field(theirs).type for theirs in self.names.values()]
        return pa.schema(list(zip(self.names, kinds, strict=True)))

    def zoned(self) -> frozenset[str]:
        """Return the columns of times that name their zone, which are read as UTC.

        Raises
        ------
        DataError
            When a column does in some parts and not in others; a CSV file is read for it.
        """
        if isinstance(self.files, Path):
            theirs = list(self.names.values())
            schema = read_csv(self.files, theirs, where=self.where, ids=self._ids).schema
            zoned = frozenset(field.name for field in schema if names_zone(field.type))
        else:
            zoned = self.files.zoned()
        return frozenset(ours for ours, theirs in self.names.items() if theirs in zoned)

    def gaps(self) -> dict[str, int]:
        """Return how many values each column misses; a CSV file is read for it."""
        if isinstance(self.files, Path):
            table = self.table()
            return {name: table.column(name).null_count for name in self.columns}
        return self.files.gaps(self.names)

    def table(self, columns: Collection[str] | None = None) -> pa.Table:
        """Read everything.

        Parameters
        ----------
        columns
            Only these are read, in the files' order; those that there are not are left out.

        Returns
        -------
        At least one row; text, numbers and times as `plain_table` gives them. ``user_id`` of a CSV
        file is an integer only if every id is a canonical one, so that ``007`` stays as it is.

        Raises
        ------
        DataError
            When a file is damaged, a column holds lists, text is not UTF-8, or there is no row.
        """
        names = self._chosen(columns)
        if isinstance(self.files, Path):
            read = read_csv(self.files, list(names.values()), where=self.where, ids=self._ids)
            table = plain_table(read, where=self.where)
        else:
            table = self.files.table(list(names.values()))
        if table.num_rows == 0:
            raise DataError(Fault(self.where, "has no rows", "one row per user", "fill it first"))
        return table.rename_columns(list(names))

    def blocks(self, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        """Yield all rows in their order, some at a time; a CSV file comes in one block.

        Every block has the same types, and only so much is held as one block takes.

        Parameters
        ----------
        columns
            As of `table`.

        Raises
        ------
        DataError
            As `table`, but for no rows.
        """
        if isinstance(self.files, Path):
            yield self.table(columns)
            return
        names = self._chosen(columns)
        for block in self.files.blocks(list(names.values())):
            yield block.rename_columns(list(names))

    def part(self, columns: Collection[str], rows: slice) -> pa.Table:
        """Return some columns of some rows; of Parquet only what holds them is read.

        Raises
        ------
        DataError
            As `table`.
        """
        names = self._chosen(columns)
        if isinstance(self.files, Path):
            return self.table(columns).slice(rows.start, rows.stop - rows.start)
        return self.files.part(list(names.values()), rows).rename_columns(list(names))

    # rows of a sample, unless told
    def head(self, rows: int = 10_000) -> pa.Table:
        """Return the first rows, without reading much more."""
        if isinstance(self.files, Path):
            read = csv_head(
                self.files, list(self.names.values()), rows, where=self.where, ids=self._ids
            )
            return plain_table(read, where=self.where).rename_columns(list(self.names))
        block = next(self.blocks(), None)
        if block is None:
            raise DataError(Fault(self.where, "has no rows", "one row per user", "fill it first"))
        return block.slice(0, rows)

    def sample(self, columns: Collection[str], rows: int) -> tuple[pa.Table, bool]:
        """Return some columns of so many rows at most, and whether these are all rows.

        They are spread over a Parquet table, and the first of a CSV file.
        """
        names = self._chosen(columns)
        if isinstance(self.files, Path):
            if self.files.stat().st_size <= knobs.MEMORY.head:
                return self.table(columns), True
            head = self.head(rows)
            return head.select([name for name in head.column_names if name in names]), False
        table, whole = self.files.sample(list(names.values()), rows)
        return table.rename_columns(list(names)), whole

    def digest(self) -> str:
        """Return a sha256, in hexadecimal, of the files and of how they are understood.

        That of one file as it is, is the file's own.

        Raises
        ------
        DataError
            When a file cannot be read any more.
        """
        renamed = {ours: theirs for ours, theirs in self.names.items() if ours != theirs}
        files = self.files
        own = digest_file(files) if isinstance(files, Path) else files.digest()
        if not renamed:
            return own
        return hashlib.sha256(json.dumps([own, renamed]).encode()).hexdigest()

    @property
    def _ids(self) -> str:
        return self.names.get(USER_ID, USER_ID)

    def _chosen(self, columns: Collection[str] | None) -> dict[str, str]:
        return {a: b for a, b in self.names.items() if columns is None or a in columns}


def source_of(
    files: Path | ParquetParts, *, location: Location, renames: Mapping[str, str]
) -> Source:
    """Return the table of some files.

    Parameters
    ----------
    renames
        What the files call a column to what the engine calls it.

    Raises
    ------
    DataError
        When a file is unreadable, parts disagree, or a column stands there twice or not at all.
    """
    where = location.where
    if isinstance(files, Path):
        columns = csv_columns(files, where=where)
    else:
        columns = tuple(files.schema.names)
    # how pandas calls an index in a Parquet file; in a CSV file it has no name
    named = [name for name in columns if name and not name.startswith("__index_level_")]
    if _has_own_names(named, renames):
        renames = {}
    faults = [*_repeated(named, where), *_misnamed(named, renames, where)]
    if faults:
        raise DataError(*faults)
    return Source(location=location, files=files, names={renames.get(n, n): n for n in named})


def _has_own_names(named: Collection[str], renames: Mapping[str, str]) -> bool:
    """Return whether a table has the engine's names already, as what `learn` writes does.

    Of several trials only some may need the names that a policy gives to columns.
    """
    return all(theirs not in named and ours in named for theirs, ours in renames.items())


def _repeated(named: list[str], where: str) -> list[Fault]:
    twice = [name for name, times in Counter(named).items() if times > 1]
    if not twice:
        return []
    what = say("columns appear more than once: {twice}", twice=tuple(twice))
    return [Fault(where, what, "each name once", "rename or drop one of each")]


def _misnamed(named: list[str], renames: Mapping[str, str], where: str) -> list[Fault]:
    """Return what is wrong with the names that a policy gives to a table's columns."""
    from incentive_engine.data.row_checks import near_column

    faults = [
        Fault(
            where,
            say("column `{theirs}`, meant as `{ours}`, is missing", theirs=theirs, ours=ours),
            "",
            hint,
        )
        for theirs, ours in renames.items()
        if theirs not in named
        for hint in [near_column(theirs, named)]
    ]
    taken = [name for name in named if name not in renames]
    return faults + [
        Fault(
            where,
            say(
                "`{theirs}` is to be called `{ours}`, and there is a column `{ours}` already",
                theirs=theirs,
                ours=ours,
            ),
            "one column of each name",
            say(
                "give the other one another name under `data.columns`, or drop `{theirs}` there",
                theirs=theirs,
            ),
        )
        for theirs, ours in renames.items()
        if ours in taken and theirs in named
    ]
