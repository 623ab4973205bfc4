"""The columns that leave, made batch by batch from what the plan decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incentive_engine.config.policy import Policy
from incentive_engine.config.schedule.moments import in_zone
from incentive_engine.domain import MICROS
from incentive_engine.export.keys import SecretKey, UniqueCodes
from incentive_engine.export.selection import Selected
from incentive_engine.run.format import parts_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the rows are made for.

    Attributes
    ----------
    key
        Needed for codes and for hashed ids.
    """

    columns: frozenset[str]
    as_text: bool
    """Times with their zone's offset, and ids as text, whatever type the run has them in."""
    key: SecretKey | None = None
    hash_ids: bool = False


class OfferRows:
    """The rows of an export, with the columns that its sheets need."""

    MONEY: ClassVar = pa.decimal128(38, 6)
    """Amounts leave as decimals to the millionth, never as binary fractions."""
    INSTANT: ClassVar = pa.timestamp("us", tz="UTC")

    COLUMNS: ClassVar = {
        "user_id": pa.string(),
        "offer_id": pa.string(),
        "campaign_id": pa.string(),
        "face_value": MONEY,
        "cost": MONEY,
        "valid_from": INSTANT,
        "valid_to": INSTANT,
        "code": pa.string(),
    }
    """What a sheet can hold. Times of a text file are local, with their offset."""

    def __init__(self, selected: Selected, wanted: Wanted) -> None:
        self._selected = selected
        self._wanted = wanted
        self._codes = UniqueCodes()
        self._offers = _offer_table(selected.run.policy, as_text=wanted.as_text)

    @property
    def offers(self) -> tuple[str, ...]:
        """The offers that anybody gets."""
        return tuple(offer for offer, rows in self._selected.rows.items() if rows)

    @property
    def schema(self) -> pa.Schema:
        """The columns and types of every batch."""
        given = pq.read_schema(parts_of(self._selected.run.directory / "allocation.parquet")[0])
        empty = pa.RecordBatch.from_pylist(
            [], schema=pa.schema([given.field(n) for n in Selected.COLUMNS])
        )
        schema: pa.Schema = self._row_batch(empty).schema
        return schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows of at most `selection.ROWS` users at a time, in the plan's order.

        Raises
        ------
        DataError
            At the end, when a code was given twice.
        """
        for batch in self._selected.batches():
            yield self._row_batch(batch)
        self._codes.check()

    def _row_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        offer_id = batch.column("offer_id").cast(pa.string())
        place = pc.index_in(offer_id, self._offers.column("offer_id"))
        text = batch.column("user_id").cast(pa.string())
        of_offer = self._offers.take(place)
        columns: dict[str, Any] = {"user_id": self._user_id(batch.column("user_id"), text)}
        columns |= {name: of_offer.column(name) for name in of_offer.schema.names}
        columns["cost"] = _in_currency(batch.column("cost_micros"))
        if "code" in self._wanted.columns:
            columns["code"] = self._coded(text, offer_id)
        return pa.RecordBatch.from_pydict({n: columns[n] for n in self.COLUMNS if n in columns})

    def _user_id(self, user_id: pa.Array, text: pa.Array) -> pa.Array:
        if self._wanted.hash_ids:
            return _key_of(self._wanted).hashed(text)
        return text if self._wanted.as_text else user_id

    def _coded(self, user_id: pa.Array, offer_id: pa.Array) -> pa.Array:
        """Return each user's code, and take note of it."""
        key, campaign = _key_of(self._wanted), self._selected.run.policy.name
        code = pa.nulls(len(user_id), pa.string())
        for offer in pc.unique(offer_id).to_pylist():
            theirs = pc.equal(offer_id, offer)
            codes = key.codes(campaign, offer, user_id.filter(theirs))
            self._codes.add(codes)
            code = pc.replace_with_mask(code, theirs, codes)
        return code


def _key_of(wanted: Wanted) -> SecretKey:
    assert wanted.key is not None, "codes and hashed ids are asked for with a key"
    return wanted.key


def _offer_table(policy: Policy, *, as_text: bool) -> pa.RecordBatch:
    """Return what each offer says of itself, in the policy's order."""

    def when(moment: datetime | None) -> object:
        local = in_zone(moment, policy.timezone) if moment else None
        return local.isoformat() if local and as_text else local and local.astimezone(UTC)

    kind = pa.string() if as_text else OfferRows.INSTANT
    offers = policy.offers
    # decimals of the shortest form that reads as the same float, never of its binary digits
    millionth = Decimal(1) / MICROS
    faces = [
        Decimal(repr(offer.face_value)).quantize(millionth, ROUND_CEILING) for offer in offers
    ]
    return pa.RecordBatch.from_pydict(
        {
            "offer_id": pa.array([offer.id for offer in offers], pa.string()),
            "campaign_id": pa.array([offer.campaign_id or offer.id for offer in offers]),
            "face_value": pa.array(faces, OfferRows.MONEY),
            "valid_from": pa.array([when(offer.valid_from) for offer in offers], kind),
            "valid_to": pa.array([when(offer.valid_to) for offer in offers], kind),
        }
    )


def _in_currency(micros: pa.Array) -> pa.Array:
    whole = micros.cast(pa.decimal128(19, 0))
    return pc.multiply(whole, pa.scalar(Decimal(1) / MICROS, pa.decimal128(7, 6))).cast(
        OfferRows.MONEY
    )
