"""Features of one user out of the events that come with a request, as those out of a log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.config.history import ANY
from incentive_engine.config.policy import Policy
from incentive_engine.data.row_checks import counted, first_rows
from incentive_engine.domain import BoolArray, IntArray
from incentive_engine.errors import DataError, Fault, nearest
from incentive_engine.features.computing.events import features_at
from incentive_engine.features.computing.history_columns import history_columns
from incentive_engine.features.computing.kernel import NO_AMOUNT, Codes, EventArrays
from incentive_engine.features.computing.program import FeatureProgram, build_program
from incentive_engine.features.computing.sorted_events import in_order, sorted_events
from incentive_engine.features.computing.standard import LogContent, standard_declarations
from incentive_engine.features.logs.log import amounts_of
from incentive_engine.features.logs.times import micros_of, names_zone
from incentive_engine.features.logs.vocabulary import Vocabulary, category_text
from incentive_engine.language import Message, say


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEvents:
    """What one user did, in any order; of equal length, or None where nothing is said.

    Attributes
    ----------
    time
        ISO 8601 with a zone, or microseconds since 1970, UTC.
    kind
        What each was, or all were.
    category, amount, campaign
        As of `config.history.EventLog`.
    """

    time: Sequence[str | int]
    kind: str | Sequence[str | None]
    category: Sequence[str | int | None] | None = None
    amount: Sequence[int | None] | None = None
    campaign: Sequence[str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UserHistory:
    """Makes the features that a policy declares for one user.

    Attributes
    ----------
    program
        With the declared kinds, and the categories of the offers.
    categories
        The values of these.
    kinds
        The declared kinds.
    takes_any
        Whether other kinds count for something.
    """

    program: FeatureProgram
    categories: tuple[str, ...]
    kinds: tuple[str, ...]
    takes_any: bool
    delay: int
    own_campaigns: tuple[str, ...]

    @classmethod
    def of(cls, policy: Policy, wanted: Collection[str]) -> Self | None:
        """Return the history of a policy, as far as features are wanted; None where none are."""
        history = policy.history
        if history is None:
            return None
        declared = history.features
        if isinstance(declared, str):
            declared = standard_declarations(LogContent.everything())
        columns = [c for c in history_columns(declared, policy.offers) if c.name in wanted]
        if not columns:
            return None
        named = dict.fromkeys(kind for declaration in declared for kind in declaration.kinds)
        matched = {offer.id: [*map(category_text, offer.categories)] for offer in policy.offers}
        categories = tuple(dict.fromkeys(value for own in matched.values() for value in own))
        kinds = tuple(kind for kind in named if kind != ANY)
        return cls(
            program=build_program(
                columns, kinds=kinds, categories=categories, offer_categories=matched
            ),
            categories=categories,
            kinds=kinds,
            takes_any=ANY in named,
            delay=history.delay.micros,
            own_campaigns=tuple(history.own_campaigns),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The features."""
        return tuple(column.name for column in self.program.columns)

    def features(self, events: UserEvents, moment: int) -> dict[str, int | float | None]:
        """Return the features at a moment, microseconds since 1970, UTC; None where empty.

        Raises
        ------
        DataError
            When columns differ in length, a time names no zone or is none, an amount is no whole
            number of minor units, or a kind is one that no feature counts.
        """
        time = _times(events.time)
        _refuse_ragged(events, len(time))
        categories = Vocabulary({value: code for code, value in enumerate(self.categories)})
        arrays = EventArrays(
            time=time,
            kind=self._kinds(events.kind, len(time)),
            category=_categories(events.category, len(time), categories),
            amount=_amounts(events.amount, len(time)),
            known=np.empty(0, dtype=np.int64),
        )
        counted = self._kept(events.campaign)
        if counted is not None:
            arrays = in_order(arrays, np.flatnonzero(counted))
        nobody = np.zeros(len(arrays.time), dtype=np.int64)
        table = features_at(
            self._with(categories),
            sorted_events(nobody, arrays, users=1),
            user=np.zeros(1, dtype=np.int64),
            moment=np.array([moment]),
            delay=self.delay,
        )
        values = ((name, column[0].item()) for name, column in table.columns.items())
        return {name: None if value != value else value for name, value in values}  # noqa: PLR0124 - NaN is empty

    def _with(self, categories: Vocabulary) -> FeatureProgram:
        """Return the program for categories of which the later ones count for no offer."""
        arrays = self.program.arrays
        further = len(categories.codes) - len(self.categories)
        start = np.pad(arrays.category_start, (0, further), mode="edge")
        return replace(self.program, arrays=arrays._replace(category_start=start))

    def _kinds(self, kind: str | Sequence[str | None], size: int) -> Codes:
        vocabulary = Vocabulary({value: code for code, value in enumerate(self.kinds)})
        if isinstance(kind, str):
            codes = np.full(size, vocabulary.code(kind) if kind else -1, dtype=np.int32)
        else:
            codes = vocabulary.encode(_column(kind, "kind", pa.string()))
        others = vocabulary.values[len(self.kinds) :]
        if others and not self.takes_any:
            what = say("no feature counts events of the kind `{kind}`", kind=others[0])
            raise DataError(Fault("events: kind", what, remedy=nearest(others[0], self.kinds)))
        return np.where(codes < len(self.kinds), codes, -1).astype(np.int32)

    def _kept(self, campaign: Sequence[str | None] | None) -> BoolArray | None:
        """Return which events are of no campaign that is left out; None where all are."""
        if campaign is None or not self.own_campaigns:
            return None
        column = _column(campaign, "campaign", pa.string())
        own = pc.is_in(column, value_set=pa.array(self.own_campaigns, pa.string()))
        return ~np.asarray(own.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _refuse_ragged(events: UserEvents, size: int) -> None:
    for name in ("kind", "category", "amount", "campaign"):
        column = getattr(events, name)
        if column is not None and not isinstance(column, str) and len(column) != size:
            what = say("has {count} values, and `time` has {size}", count=len(column), size=size)
            raise DataError(Fault(f"events: {name}", what, "one value for each event"))


def _times(times: Sequence[str | int]) -> IntArray:
    where = "events: time"
    if not times:
        return np.empty(0, dtype=np.int64)
    if isinstance(times[0], int):
        return np.asarray(_column(times, "time", pa.int64()).to_numpy(), dtype=np.int64)
    column = _column(times, "time", pa.string())
    micros = micros_of(column, zone="UTC", where=where, name="time")
    zoned = names_zone(column)
    if not zoned.all():
        rows = np.flatnonzero(~zoned)
        first = first_rows(rows)
        what = say("names no zone in {counted} ({first})", counted=counted(len(rows)), first=first)
        raise DataError(Fault(where, what, "times such as 2026-11-10T12:00:00+08:00"))
    return micros


def moment_of(text: str) -> int:
    """Return a moment of a request, microseconds since 1970, UTC.

    Raises
    ------
    DataError
        When it is no time, or names no zone.
    """
    try:
        (micros,) = _times([text])
    except DataError as error:
        raise DataError(*(replace(fault, where="moment") for fault in error.faults)) from None
    return int(micros)


def _categories(
    categories: Sequence[str | int | None] | None, size: int, known: Vocabulary
) -> Codes:
    if categories is None:
        return np.full(size, -1, dtype=np.int32)
    return known.encode(_column(categories, "category"))


def _amounts(amounts: Sequence[int | None] | None, size: int) -> IntArray:
    if amounts is None:
        return np.full(size, NO_AMOUNT, dtype=np.int64)
    column = _column(amounts, "amount", pa.int64())
    return amounts_of(column, where="events", name="amount").astype(np.int64)


def _column(values: Sequence[object], name: str, kind: pa.DataType | None = None) -> pa.Array:
    """Return values as a column of a type, or of their own.

    Raises
    ------
    DataError
        When some are of another one.
    """
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        what: Message = say("holds values of more than one type, or beyond 64 bits")
        raise DataError(Fault(f"events: {name}", what, "values of one type")) from None
