"""Which offers of a plan an export takes: filters, never a new plan."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incentive_engine.config.amounts import parse_amount
from incentive_engine.data.tables.arrow import is_number
from incentive_engine.domain import (
    CONVERSION,
    COST,
    MICROS,
    SPEND,
    BoolArray,
    FloatArray,
    to_micros,
)
from incentive_engine.errors import ConfigError, Fault, nearest
from incentive_engine.language import message_of, say
from incentive_engine.run.finished import FinishedRun
from incentive_engine.run.format import parts_of
from incentive_engine.verify.recomputed.arithmetic import exact, exact_total, halves, joined

ROWS: Final = 1 << 18
"""Users that are held in memory at a time; another number changes Parquet exports' bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the command line leaves out; nothing given keeps everything."""

    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Attribute to values: any of them; several attributes mean all of them."""
    offers: tuple[str, ...] = ()
    """Only these offers."""
    min_budget_left: float | None = None
    """At least so much of the budget stays unspent, currency units: offers with the least value
    per unit of money are left out first. The rest of the plan counts as spent, also what other
    filters leave out of this export."""

    def to_dict(self) -> dict[str, Any]:
        """Return what is filtered, for the manifest."""
        given: dict[str, Any] = {"only": {k: list(v) for k, v in self.only.items()}}
        given |= {"offers": list(self.offers), "min_budget_left": self.min_budget_left}
        return {name: value for name, value in given.items() if value}

    def words(self) -> Iterator[str]:
        """Yield what is filtered, as the command line writes it."""
        for name, values in self.only.items():
            yield from (f"--only {name}={value}" for value in values)
        yield from (f"--only-offer {offer}" for offer in self.offers)
        if self.min_budget_left is not None:
            yield f"--min-budget-left {self.min_budget_left:.10g}"


def read_filters(
    only: Sequence[str], *, offers: Sequence[str], min_budget_left: str | None
) -> Filters:
    """Return filters as the command line writes them.

    Raises
    ------
    ConfigError
        With every word that cannot be read.
    """
    values: dict[str, tuple[str, ...]] = {}
    faults = []
    for word in only:
        column, is_pair, value = word.partition("=")
        if column and is_pair:
            values[column] = (*values.get(column, ()), value)
        else:
            faults.append(Fault(f"--only {word}", "is no condition", "COLUMN=VALUE"))
    try:
        left = None if min_budget_left is None else parse_amount(min_budget_left)
    except ValueError as error:
        faults.append(Fault("--min-budget-left", message_of(error), "an amount such as 200k"))
    if faults:
        raise ConfigError(*faults)
    return Filters(only=values, offers=tuple(offers), min_budget_left=left)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Selected:
    """The offers that leave, known before the first is written.

    Attributes
    ----------
    rows
        Offer to number of users, in the policy's order.
    keep
        (m,) bool over what the other filters leave, False where `min_budget_left` leaves a user
        out; None where all stay.
    """

    COLUMNS: ClassVar = ("user_id", "offer_id", "cost_micros")
    """What is read of the plan."""

    run: FinishedRun
    filters: Filters
    rows: Mapping[str, int]
    keep: BoolArray | None

    @property
    def total(self) -> int:
        """How many users get an offer from this export."""
        return sum(self.rows.values())

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield user_id, offer_id and cost_micros of at most `ROWS` users at a time."""
        start = 0
        for batch in offered(self.run, self.filters, self.COLUMNS):
            stop = start + batch.num_rows
            left = batch if self.keep is None else batch.filter(pa.array(self.keep[start:stop]))
            start = stop
            if left.num_rows:
                yield left


def select(run: FinishedRun, filters: Filters) -> Selected:
    """Look once through the plan and return what the filters leave.

    Raises
    ------
    ConfigError
        When a filter names an unknown offer or column, or leaves nobody of a plan with offers.
    """
    _check_offers(run, filters)
    keep = _within_reserve(run, filters) if filters.min_budget_left is not None else None
    counts = dict.fromkeys(run.policy.offer_ids, 0)
    everyone = Selected(run=run, filters=filters, rows=counts, keep=keep)
    for batch in everyone.batches():
        for item in pc.value_counts(batch.column("offer_id")).to_pylist():
            counts[item["values"]] += item["counts"]
    if filters.to_dict() and not everyone.total and run.certificate.treated:
        what = " ".join(filters.words())
        raise ConfigError(
            Fault(
                "filters",
                say("no user with an offer is left by {what}", what=what),
                remedy="ask for less",
            )
        )
    return everyone


def narrowed(selected: Selected, stays: BoolArray) -> Selected:
    """Return a selection without some of its offers.

    Parameters
    ----------
    stays
        (m,) bool over what `selected` holds.
    """
    keep = stays
    if selected.keep is not None:
        keep = selected.keep.copy()
        keep[keep] = stays
    counts = dict.fromkeys(selected.rows, 0)
    fewer = Selected(run=selected.run, filters=selected.filters, rows=counts, keep=keep)
    for batch in fewer.batches():
        for item in pc.value_counts(batch.column("offer_id")).to_pylist():
            counts[item["values"]] += item["counts"]
    return fewer


def offered(
    run: FinishedRun, filters: Filters, columns: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    """Yield columns of allocation.parquet for users with an offer that the filters leave."""
    wanted = tuple(dict.fromkeys(("offer_id", *columns)))
    batches = _even(run.directory / "allocation.parquet", wanted)
    attributes = _even(run.directory / "scores.parquet", _attributes(run, filters))
    for batch in batches:
        mask = pc.is_valid(batch.column("offer_id"))
        if filters.offers:
            among = pc.is_in(batch.column("offer_id"), pa.array(filters.offers, pa.string()))
            mask = pc.and_(mask, among)
        if filters.only:
            mask = pc.and_(mask, _matching(next(attributes), filters))
        yield batch.filter(mask).select(list(columns))


def _even(path: Path, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    """Yield `ROWS` rows of a table at a time, wherever its row groups end."""
    waiting: list[pa.RecordBatch] = []
    for batch in _batches(path, columns):
        waiting.append(batch)
        while sum(batch_waiting.num_rows for batch_waiting in waiting) >= ROWS:
            whole = pa.concat_batches(waiting)
            yield whole.slice(0, ROWS)
            waiting = [whole.slice(ROWS)]
    if sum(batch_waiting.num_rows for batch_waiting in waiting):
        yield pa.concat_batches(waiting)


def _batches(path: Path, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    for path_of_part in parts_of(path):
        file = pq.ParquetFile(
            path_of_part, pre_buffer=False
        )  # else row groups yet to come are held too
        yield from file.iter_batches(batch_size=ROWS, columns=list(columns))


def _attributes(run: FinishedRun, filters: Filters) -> tuple[str, ...]:
    columns = pq.read_schema(run.directory / "scores.parquet").names if filters.only else []
    names = [name for name in columns if "__" not in name]
    faults = [
        Fault(f"--only {name}", "there is no such column", remedy=nearest(name, names))
        for name in filters.only
        if name not in names
    ]
    if faults:
        raise ConfigError(*faults)
    return tuple(filters.only)


def _matching(attributes: pa.RecordBatch, filters: Filters) -> pa.Array:
    """Return which users have one of the wanted values in every named column, (n,) bool."""
    mask = pa.array(np.ones(attributes.num_rows, dtype=np.bool_))
    for name, values in filters.only.items():
        column = attributes.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        wanted = pa.array([_as_type(value, column.type, name) for value in values], column.type)
        mask = pc.and_(mask, pc.is_in(column, wanted, skip_nulls=True))
    return mask


def _as_type(value: str, kind: pa.DataType, name: str) -> object:
    """Read a value of the command line as the column's type."""
    truth = {"true": True, "false": False}.get(value.lower())
    if truth is not None and is_number(kind):
        return pa.scalar(truth).cast(kind).as_py()  # truth values with gaps are floats
    if pa.types.is_boolean(kind):
        where = f"--only {name}={value}"
        raise ConfigError(
            Fault(where, "the column is true or false", remedy="write true or false")
        )
    try:
        return pa.scalar(value).cast(kind).as_py()
    except pa.ArrowInvalid:
        what = say("the column holds {kind}", kind=kind)
        raise ConfigError(Fault(f"--only {name}={value}", what, "a value of it")) from None


def _check_offers(run: FinishedRun, filters: Filters) -> None:
    faults = [
        Fault(
            "--only-offer",
            say("there is no offer `{offer}`", offer=x),
            remedy=nearest(x, run.policy.offer_ids),
        )
        for x in filters.offers
        if x not in run.policy.offer_ids
    ]
    if faults:
        raise ConfigError(*faults)


def _within_reserve(run: FinishedRun, filters: Filters) -> BoolArray:
    """Return who stays so that the reserve does, (m,) bool."""
    budget, asked = run.policy.budget, filters.min_budget_left
    where = "--min-budget-left"
    if budget is None or asked is None:
        raise ConfigError(
            Fault(
                where,
                "the policy has no budget",
                remedy="leave it out, or give the policy a budget",
            )
        )
    by_face = budget.basis == "face"
    value, money = _value_and_money(run, filters, face=by_face)
    stated = run.certificate.budget
    spent = stated.spent_face if by_face else stated.spent
    left = exact(budget.amount) - exact(spent)
    missing = max(math.ceil((exact(asked) - left) * MICROS), 0)
    order = np.argsort(value / np.maximum(money, 1), kind="stable")
    freed = np.cumsum(halves(money[order]), axis=1)  # face values may pass int64
    steps = range(len(order))
    dropped = bisect_left(steps, missing, key=lambda step: joined(freed[:, step])) + 1
    dropped = dropped if missing else 0
    if dropped > len(order):
        most = left + Fraction(exact_total(money), MICROS)
        what = say("at most {most:,.2f} can be left by leaving offers out", most=float(most))
        raise ConfigError(Fault(where, what, "a smaller amount"))
    keep = np.ones(len(order), dtype=np.bool_)
    keep[order[:dropped]] = False
    return keep


def _value_and_money(run: FinishedRun, filters: Filters, *, face: bool) -> tuple[FloatArray, Any]:
    """Return each row's value, (m,) float64, and the money it takes, (m,) int64 millionths."""
    aim = run.policy.objective.maximise
    # measures that allocation.parquet holds, so that offers can be ranked by them
    if unknown := sorted(set(aim) - {CONVERSION, SPEND, COST}):
        what = say(
            "the plan maximises {unknown}, which allocation.parquet does not hold",
            unknown=unknown[0],
        )
        raise ConfigError(Fault("--min-budget-left", what, remedy="plan with a smaller budget"))
    ids = pa.array(run.policy.offer_ids, pa.string())
    faces = to_micros(np.array([offer.face_value for offer in run.policy.offers]))
    values, money = [np.zeros(0)], [np.zeros(0, dtype=np.int64)]
    for batch in offered(run, filters, ("offer_id", "cost_micros", "weight", *aim)):
        weighted = sum(
            factor * np.nan_to_num(_floats(batch, name)) for name, factor in aim.items()
        )
        values.append(_floats(batch, "weight") * weighted)
        offer = pc.index_in(batch.column("offer_id"), ids).to_numpy(zero_copy_only=False)
        micros = batch.column("cost_micros").to_numpy(zero_copy_only=False)
        money.append(faces[offer] if face else micros)
    return np.concatenate(values), np.concatenate(money)


def _floats(batch: pa.RecordBatch, name: str) -> FloatArray:
    column: FloatArray = batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return column
