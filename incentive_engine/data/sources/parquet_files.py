"""Parquet files as one table: parts with the same columns, and what their folders add."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from incentive_engine import knobs
from incentive_engine.data.tables.arrow import is_text
from incentive_engine.data.tables.files import digest_file
from incentive_engine.data.tables.types import (
    common_type,
    names_zone,
    plain_table,
    refuse_nested,
    refuse_repeated,
)
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetPart:
    """One Parquet file of a table.

    Attributes
    ----------
    path
        The file.
    constants
        Columns that stand in the names of its folders, with their one value.
    shown
        How messages call it; left out, its path.
    """

    path: Path
    constants: Mapping[str, object] = field(default_factory=dict)
    shown: str = ""

    @property
    def where(self) -> str:
        """How messages call it."""
        return self.shown or str(self.path)

    @property
    def name(self) -> str:
        """How messages call it beside other parts of its table."""
        return Path(self.where).name


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParquetParts:
    """Parts that have the same columns.

    Attributes
    ----------
    parts
        At least one; their rows follow one another.
    schema
        Columns of all parts together, folder columns last, with the types that they are read as.
        Columns of lists keep theirs, and are refused when they are read.
    """

    parts: tuple[ParquetPart, ...]
    schema: pa.Schema

    @classmethod
    def of(
        cls,
        parts: Sequence[ParquetPart],
        *,
        where: str,
        schema: pa.Schema | None = None,
        ids: Collection[str] = (),
    ) -> ParquetParts:
        """Look at the parts' footers and return them as one table.

        Parameters
        ----------
        schema
            Where the table itself says which columns it has: parts may lack some, which are then
            empty there.
        ids
            Columns that are text where some parts hold whole numbers in them and others text: of
            CSV files, whose ids are numbers only if none of a file has a leading zero.

        Raises
        ------
        DataError
            When a part is damaged, or parts disagree on names or types.
        """
        own = [_schema(part) for part in parts]
        names = own[0].names if schema is None else schema.names
        if schema is None:
            for part, columns in zip(parts, own, strict=True):
                _check_names(part, columns, parts[0], own[0])
        fields, faults = [], []
        for name in names:
            kinds = [columns.field(name).type for columns in own if name in columns.names]
            kind = _kind_of(kinds if schema is None else [schema.field(name).type, *kinds])
            if kind is None and name in ids and all(map(_is_id, kinds)):
                kind = pa.string()
            if kind is None:
                faults.append(_disagreement(name, parts, own, where))
            else:
                fields.append(pa.field(name, kind))
        if faults:
            raise DataError(*faults)
        return cls(parts=tuple(parts), schema=pa.schema(fields))

    def absolute(self) -> ParquetParts:
        """Return the same parts for processes that run in other folders."""
        parts = tuple(replace(part, path=part.path.absolute()) for part in self.parts)
        return replace(self, parts=parts)

    def zoned(self) -> frozenset[str]:
        """Return the columns of times that name their zone.

        Raises
        ------
        DataError
            When a column does in some parts and not in others.
        """
        own = [_schema(part) for part in self.parts]
        zoned = {field.name for schema in own for field in schema if names_zone(field.type)}
        mixed = [
            name
            for name in sorted(zoned)
            if not all(names_zone(f.field(name).type) for f in own if name in f.names)
        ]
        if mixed:
            where = self.parts[0].where
            raise DataError(*(_disagreement(name, self.parts, own, where) for name in mixed))
        return frozenset(zoned)

    def rows(self) -> int:
        """Return how many rows all parts state."""
        return sum(_footer(part).num_rows for part in self.parts)

    def blocks(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield some columns of all rows, some at a time, each block of one type.

        Raises
        ------
        DataError
            When a part is damaged, or a column holds lists or structures.
        """
        for part in self.parts:
            try:
                # with pre_buffer, row groups that were read stay in memory
                with pq.ParquetFile(part.path, pre_buffer=False) as file:
                    present = [name for name in columns if name in file.schema_arrow.names]
                    for batch in file.iter_batches(knobs.MEMORY.rows, columns=present):
                        # a column `a` also brings `a.b`, hence the selection
                        table = pa.Table.from_batches([batch]).select(present)
                        yield self._completed(table, part, columns, batch.num_rows)
            except (pa.ArrowException, OSError) as error:
                raise DataError(broken_parquet(part)) from error

    def part(self, columns: Sequence[str], rows: slice) -> pa.Table:
        """Return some columns of some rows; no row group without one of them is read.

        Raises
        ------
        DataError
            As `table`.
        """
        tables, start = [], 0
        for part in self.parts:
            size = _footer(part).num_rows
            first, last = max(rows.start - start, 0), min(rows.stop - start, size)
            start += size
            if first < last:
                tables.append(self._some(part, columns, slice(first, last)))
        return plain_table(pa.concat_tables(tables), where=self.parts[0].where)

    def _some(self, part: ParquetPart, columns: Sequence[str], rows: slice) -> pa.Table:
        try:
            with pq.ParquetFile(part.path) as file:
                inside = [name for name in columns if name in file.schema_arrow.names]
                groups: list[int] = []
                start = before = 0
                for group in range(file.num_row_groups):
                    size = file.metadata.row_group(group).num_rows
                    if start + size > rows.start and start < rows.stop:
                        before = before if groups else start
                        groups.append(group)
                    start += size
                table = file.read_row_groups(groups, columns=inside).select(inside)
                table = table.slice(rows.start - before, rows.stop - rows.start)
                return self._completed(table, part, columns, table.num_rows)
        except (pa.ArrowException, OSError) as error:
            raise DataError(broken_parquet(part)) from error

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Return some columns of all rows.

        Raises
        ------
        DataError
            As `blocks`.
        """
        tables = [self._whole(part, columns) for part in self.parts]
        table = tables[0] if len(tables) == 1 else pa.concat_tables(tables)
        return plain_table(table, where=self.parts[0].where)

    def _whole(self, part: ParquetPart, columns: Sequence[str]) -> pa.Table:
        try:
            with pq.ParquetFile(part.path) as file:
                inside = [name for name in columns if name in file.schema_arrow.names]
                table = file.read(columns=inside).select(inside)
                return self._completed(table, part, columns, file.metadata.num_rows)
        except (pa.ArrowException, OSError) as error:
            raise DataError(broken_parquet(part)) from error

    def sample(self, columns: Sequence[str], rows: int) -> tuple[pa.Table, bool]:
        """Return some columns of so many rows at most, spread over all parts; whether it is all.

        Raises
        ------
        DataError
            As `table`.
        """
        if self.rows() <= rows:
            return self.table(columns), True
        groups = [
            (part, group) for part in self.parts for group in range(_footer(part).num_row_groups)
        ]
        # row groups, about, that a sample is taken of
        spread = 20
        chosen = groups[:: -(-len(groups) // spread)]
        tables = [self._group(part, group, columns) for part, group in chosen]
        each = max(1, rows // len(tables))
        return plain_table(
            pa.concat_tables([table.slice(0, each) for table in tables]),
            where=self.parts[0].where,
        ), False

    def _group(self, part: ParquetPart, group: int, columns: Sequence[str]) -> pa.Table:
        try:
            with pq.ParquetFile(part.path) as file:
                inside = [name for name in columns if name in file.schema_arrow.names]
                table = file.read_row_group(group, columns=inside).select(inside)
                return self._completed(table, part, columns, table.num_rows)
        except (pa.ArrowException, OSError) as error:
            raise DataError(broken_parquet(part)) from error

    def gaps(self, names: Mapping[str, str]) -> dict[str, int]:
        """Return how many values each column misses, by the footers where they know.

        Parameters
        ----------
        names
            Column to what the files call it.
        """
        gaps = dict.fromkeys(names, 0)
        for part in self.parts:
            try:
                with pq.ParquetFile(part.path) as file:
                    for name, theirs in names.items():
                        gaps[name] += _gaps(file, theirs, part.constants)
            except (pa.ArrowException, OSError) as error:
                raise DataError(broken_parquet(part)) from error
        return gaps

    def digest(self) -> str:
        """Return the file's sha256, or that of the parts' digests and folder columns."""
        digests = [digest_file(part.path) for part in self.parts]
        if len(self.parts) == 1 and not self.parts[0].constants:
            return digests[0]
        folders = [dict(part.constants) for part in self.parts]
        more = json.dumps(folders, default=str) if any(folders) else ""
        return hashlib.sha256(("".join(digests) + more).encode()).hexdigest()

    def _completed(
        self, table: pa.Table, part: ParquetPart, columns: Sequence[str], rows: int
    ) -> pa.Table:
        """Return a part's rows with the table's columns and types, folder columns included."""
        refuse_nested(table.schema, where=part.where)
        arrays = []
        for name in columns:
            kind = self.schema.field(name).type
            if name in table.column_names:
                arrays.append(_as_type(table.column(name), kind, name, part.where))
            else:
                constant = pa.scalar(part.constants.get(name)).cast(kind)
                arrays.append(pa.chunked_array([pa.repeat(constant, rows)]))
        return pa.table(arrays, names=list(columns))


def _as_type(column: pa.ChunkedArray, kind: pa.DataType, name: str, where: str) -> pa.ChunkedArray:
    plain = plain_table(pa.table({name: column}), where=where, gaps=False).column(0)
    if plain.type == kind:
        return plain
    try:
        return plain.cast(kind, safe=not pa.types.is_floating(kind))
    except pa.ArrowInvalid:
        what = say(
            "`{name}` does not fit the type of the other parts, {kind}", name=name, kind=kind
        )
        remedy = "write all parts with one schema"
        raise DataError(Fault(where, what, "the same types in each part", remedy)) from None


def _is_id(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or is_text(kind))


def _kind_of(kinds: Sequence[pa.DataType]) -> pa.DataType | None:
    if any(map(pa.types.is_nested, kinds)):
        return kinds[0] if all(kind == kinds[0] for kind in kinds) else None
    return common_type(kinds)


def _footer(part: ParquetPart) -> pq.FileMetaData:
    try:
        return pq.read_metadata(part.path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(broken_parquet(part)) from error


def _schema(part: ParquetPart) -> pa.Schema:
    """Return a file's columns, and those that its folders add."""
    try:
        schema = pq.read_schema(part.path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(broken_parquet(part)) from error
    refuse_repeated(schema.names, where=part.where)
    for name, value in part.constants.items():
        if name not in schema.names:
            kind = {int: pa.int64(), str: pa.string()}.get(type(value), pa.null())
            schema = schema.append(pa.field(name, kind))
    return schema


def _check_names(part: ParquetPart, own: pa.Schema, first: ParquetPart, schema: pa.Schema) -> None:
    if set(own.names) == set(schema.names):
        return
    differing = sorted({*own.names} ^ {*schema.names})
    what = say(
        "has other columns than {name}: {differing}",
        name=first.name,
        differing=tuple(differing[:5]),
    )
    remedy = "write all parts with one schema, or keep them in folders of their own"
    raise DataError(Fault(part.where, what, "the same columns in each part", remedy))


def _disagreement(
    name: str, parts: Sequence[ParquetPart], schemas: Sequence[pa.Schema], where: str
) -> Fault:
    kinds: dict[str, str] = {}
    for part, schema in zip(parts, schemas, strict=True):
        if name in schema.names:
            kinds.setdefault(str(schema.field(name).type), part.name)
    examples = ", ".join(f"{kind} in {file}" for kind, file in list(kinds.items())[:3])
    what = say("the parts disagree on column `{name}`: {told}", name=name, told=examples)
    return Fault(where, what, "the same type in each part", "write all parts with one schema")


def _gaps(file: pq.ParquetFile, name: str, constants: Mapping[str, object]) -> int:
    rows, names = int(file.metadata.num_rows), file.schema_arrow.names
    if name not in names:
        return rows if constants.get(name) is None else 0
    if any(pa.types.is_nested(kind) for kind in file.schema_arrow.types):
        return int(file.read([name]).column(name).null_count)
    place = names.index(name)
    groups = [file.metadata.row_group(group) for group in range(file.metadata.num_row_groups)]
    statistics = [group.column(place).statistics for group in groups]
    if all(one is not None and one.has_null_count for one in statistics):
        return sum(one.null_count for one in statistics)
    return int(file.read([name]).column(name).null_count)


def broken_parquet(part: ParquetPart) -> Fault:
    """Return the fault of a file that cannot be read as Parquet."""
    what = "is damaged, cut off, or not Parquet"
    return Fault(part.where, what, "a Parquet file", "write or copy it anew")
