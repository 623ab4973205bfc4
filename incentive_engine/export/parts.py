"""Writes an export's files part by part: each is complete or absent, and none is made twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.data.tables.files import digest_file, publish, writing_to
from incentive_engine.export.formats import Sheet
from incentive_engine.export.places import Destination, FinishedFile
from incentive_engine.export.rows import OfferRows
from incentive_engine.export.writers import DuckDBWriter, ParquetWriter, PartWriter, TextWriter


def write_parts(
    place: Destination,
    identity: Mapping[str, Any],
    sheets: Iterable[Sheet],
    rows: OfferRows,
    *,
    accepted: Iterable[str] = (),
) -> dict[str, Any]:
    """Write what is not there yet, then the manifest; return the manifest.

    An export that was killed goes on after its last finished part, and ends with the same bytes.

    Raises
    ------
    DataError
        When the place cannot be written to. Finished parts stay, for the next try.
    """
    log = _Log(place, identity)
    series = [
        _Series(log, sheet, offer, rows) for sheet in sheets for offer in _split(sheet, rows)
    ]
    with writing_to(place.target):
        try:
            log.save()
            for batch in rows.batches():
                for one in series:
                    one.write(batch)
            for one in series:
                one.close()
        except BaseException:
            for one in series:
                one.abandon()
            place.forget(log.parts)
            raise
        return place.complete(identity, log.parts, accepted)


def _split(sheet: Sheet, rows: OfferRows) -> tuple[str, ...]:
    return rows.offers if sheet.by_offer else ("",)


class _Log:
    """Which parts are finished, in this try and in earlier ones."""

    def __init__(self, place: Destination, identity: Mapping[str, Any]) -> None:
        self.place = place
        self._identity = identity
        self._before = {file.name: file for file in place.begun(identity)}
        self.parts: list[FinishedFile] = []

    def kept(self, sheet: Sheet, offer: str) -> list[FinishedFile]:
        """Return the parts of a series that an earlier try finished and that stand as written."""
        whole: list[FinishedFile] = []
        while file := self._before.get(self.place.part_name(sheet, offer, len(whole) + 1)):
            if not self.place.holds(file):
                break
            whole.append(file)
        self.parts += whole
        return whole

    def add(self, part: FinishedFile) -> None:
        """Take note of a part that has its name now."""
        self.parts.append(part)
        self.save()

    def save(self) -> None:
        """Write down what is finished."""
        self.place.note(self._identity, self.parts)


class _Series:
    """The parts of one sheet, of one offer where the sheet is split by offer."""

    def __init__(self, log: _Log, sheet: Sheet, offer: str, rows: OfferRows) -> None:
        self._log = log
        self._sheet = sheet
        self._offer = offer
        self._schema = rows.schema
        whole = log.kept(sheet, offer)
        self._number = len(whole)
        self._skip = sum(file.rows for file in whole)
        self._writer: PartWriter | None = None
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the rows of a batch that belong here."""
        if self._offer:
            batch = batch.filter(pc.equal(batch.column("offer_id"), self._offer))
        for piece in self._pieces(batch):
            if self._writer is None:
                self._open()
            assert self._writer is not None
            self._writer.write(piece)
            self._rows += piece.num_rows
            if self._rows == self._sheet.rows_per_part:
                self._finish()

    def close(self) -> None:
        """Finish the last part; a series that is not an offer's has one, even without rows."""
        if self._writer is None and not self._number and not self._offer:
            self._open()
        if self._writer is not None:
            self._finish()

    def abandon(self) -> None:
        """Remove the part that is not finished."""
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)
        with suppress(OSError):  # only a folder that holds nothing goes
            self._partial.parent.rmdir()

    @property
    def _name(self) -> str:
        return self._log.place.part_name(self._sheet, self._offer, self._number + 1)

    @property
    def _partial(self) -> Path:
        return self._log.place.partial(self._name)

    def _pieces(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Yield what is not in a finished part, cut where parts end."""
        skipped = min(self._skip, batch.num_rows)
        self._skip -= skipped
        remaining = batch.slice(skipped)
        while remaining.num_rows:
            limit = self._sheet.rows_per_part
            room = remaining.num_rows if limit is None else limit - self._rows
            yield remaining.slice(0, room)
            remaining = remaining.slice(min(room, remaining.num_rows))

    def _open(self) -> None:
        self._partial.parent.mkdir(parents=True, exist_ok=True)
        self._partial.unlink(missing_ok=True)
        writers: dict[str, type[PartWriter]] = {
            "text": TextWriter,
            "parquet": ParquetWriter,
            "duckdb": DuckDBWriter,
        }
        self._writer = writers[self._sheet.kind](self._partial, self._sheet, self._schema)
        self._rows = 0

    def _finish(self) -> None:
        assert self._writer is not None
        self._writer.close()
        partial, path = self._partial, self._log.place.path(self._name)
        size, digest = partial.stat().st_size, digest_file(partial)
        publish(partial, path)
        finished = FinishedFile(name=self._name, rows=self._rows, bytes=size, sha256=digest)
        self._writer, self._number, self._rows = None, self._number + 1, 0
        self._log.add(finished)
