"""Writes the offers of a verified run as one file that another system loads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from incentive_engine.data.files import CSV, PARQUET, atomic_file
from incentive_engine.domain import MICROS
from incentive_engine.errors import DataError, Fault, VerificationError
from incentive_engine.verify import Verification

ROWS: Final = 1 << 18
"""Rows that are held in memory at a time."""

MONEY: Final = pa.decimal128(38, 6)
"""Amounts leave as decimals to the millionth, never as binary fractions."""

MILLIONTH: Final = Decimal(1) / MICROS

READ: Final = ("user_id", "offer_id", "cost_micros")


def export_offers(run_dir: Path, to: Path, *, verification: Verification) -> int:
    """Write one row per user with an offer: user_id, offer_id, face_value, cost.

    Parameters
    ----------
    to
        A new file. ``.csv``: UTF-8, ids quoted, so that they stay text. ``.parquet``: ids of the
        run's type.
    verification
        Of this run; made just before.

    Returns
    -------
    The number of rows.

    Raises
    ------
    VerificationError
        When the verification failed, or is another run's.
    DataError
        When `to` exists, cannot be written, or ends in neither suffix.
    """
    _refuse_unverified(run_dir, verification)
    suffix = to.suffix.lower()
    if suffix not in {CSV, *PARQUET}:
        what = f"ends in `{suffix}`" if suffix else "has no suffix"
        raise DataError(Fault(str(to), what, ".csv or .parquet"))
    rows = 0
    with atomic_file(to) as partial:
        batches = _offers(run_dir, as_text=suffix == CSV)
        first = next(batches)
        with _writer(partial, first.schema, is_csv=suffix == CSV) as writer:
            for batch in (first, *batches):
                writer.write_batch(batch)
                rows += batch.num_rows
    return rows


def _refuse_unverified(run_dir: Path, verification: Verification) -> None:
    if verification.run_dir.resolve() != run_dir.resolve():
        raise VerificationError(
            Fault(str(run_dir), f"the verification is one of {verification.run_dir}")
        )
    if not verification.ok:
        raise VerificationError(
            *(
                Fault(f"{run_dir}: {check.name}", check.detail, remedy="do not use this run")
                for check in verification.failures
            )
        )


def _offers(run_dir: Path, *, as_text: bool) -> Iterator[pa.RecordBatch]:
    """Yield the offered rows, the first batch even when it is empty."""
    faces = _face_values(run_dir)
    file = pq.ParquetFile(run_dir / "allocation.parquet")
    is_first = True
    for batch in file.iter_batches(batch_size=ROWS, columns=list(READ)):
        offered = batch.filter(pc.is_valid(batch.column("offer_id")))
        if offered.num_rows or is_first:
            yield _as_loaded(offered, faces, as_text=as_text)
        is_first = False


def _as_loaded(
    batch: pa.RecordBatch, faces: dict[str, Decimal], *, as_text: bool
) -> pa.RecordBatch:
    user_id, offer_id, micros = (batch.column(name) for name in READ)
    position = pc.index_in(offer_id, pa.array(list(faces), pa.string()))
    face = pa.array(list(faces.values()), MONEY).take(position)
    whole = micros.cast(pa.decimal128(19, 0))
    cost = pc.multiply(whole, pa.scalar(MILLIONTH, pa.decimal128(7, 6)))
    columns = {
        "user_id": user_id.cast(pa.string()) if as_text else user_id,
        "offer_id": offer_id,
        "face_value": face,
        "cost": cost.cast(MONEY),
    }
    return pa.RecordBatch.from_pydict(columns)


def _face_values(run_dir: Path) -> dict[str, Decimal]:
    manifest = json.loads((run_dir / "manifest.json").read_text(encoding="utf-8"))
    return {
        offer["id"]: Decimal(repr(offer["face_value"])).quantize(MILLIONTH, ROUND_CEILING)
        for offer in manifest["policy"]["offers"]
    }


def _writer(path: Path, schema: pa.Schema, *, is_csv: bool) -> AbstractContextManager[Any]:
    writer: AbstractContextManager[Any] = (
        arrow_csv.CSVWriter(path, schema) if is_csv else pq.ParquetWriter(path, schema)
    )
    return writer
