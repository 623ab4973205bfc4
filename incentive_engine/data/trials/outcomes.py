"""What the users of a campaign did, once it is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandas.api.types import is_float_dtype

from incentive_engine.data.columns.frame_rows import places
from incentive_engine.data.row_checks import RowChecks, as_id, missing_columns
from incentive_engine.data.sources.source import Source
from incentive_engine.data.tables.arrow import is_missing, whole
from incentive_engine.data.trials.campaigns import TrialColumn
from incentive_engine.domain import (
    CONTROL,
    CONVERSION,
    COST,
    OUTCOMES,
    SPEND,
    USER_ID,
    BoolArray,
    FloatArray,
    IntArray,
)
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcomes:
    """What n users of a run did.

    Attributes
    ----------
    named : (n,) bool
        Whether the file has the user; the others did nothing.
    conversion : (n,) float64
        0 or 1.
    spend, cost : (n,) float64, or None
        Currency units: what was bought for, and the subsidy paid; None where the file has no such
        column.
    offer : (n,) int16, or None
        The offer that reached the user: its position, -1 for none, `NOT_KNOWN` where the file does
        not have the user; None where it has no such column.
    at : (n,) int64, or None
        When it was, microseconds since 1970, 0 for users that the file does not have; None where
        the file has no such column.
    strangers
        Rows about users that the run does not have.
    """

    OFFER_ID: ClassVar[str] = "offer_id"
    """How allocations and exports call the offer; a log of a trial calls it `offer`."""
    AT: ClassVar[str] = "at"
    """When it was; times without a zone are UTC."""
    NOT_KNOWN: ClassVar[int] = -2

    named: BoolArray
    conversion: FloatArray
    spend: FloatArray | None
    cost: FloatArray | None
    offer: npt.NDArray[np.int16] | None
    strangers: int
    at: IntArray | None = None

    def refuse_before(self, decided: IntArray, *, where: str) -> None:
        """Refuse outcomes of before the decision, which it cannot have brought about.

        Parameters
        ----------
        decided
            (n,) int64, when each user was decided on, microseconds since 1970; 0 for who was not.

        Raises
        ------
        DataError
            With the number of such rows.
        """
        if self.at is None:
            return
        early = self.named & (decided > 0) & (self.at < decided)
        if early.any():
            what = say(
                "{rows:,} outcomes are from before the user was decided on", rows=int(early.sum())
            )
            expected = "what users did afterwards"
            remedy = "leave earlier purchases out, and see to the time zone"
            raise DataError(Fault(f"{where}: {Outcomes.AT}", what, expected, remedy))


def read_outcomes(source: Source, user_id: pa.Array, offers: tuple[str, ...]) -> Outcomes:
    """Read what users did.

    Parameters
    ----------
    source
        A table with one row per user who did something, or per user: user_id, conversion, and
        if known spend, cost (subsidy paid), and offer or offer_id (what reached the user; empty or
        `control` for nothing).
    user_id
        (n,) the run's users.
    offers
        Its k offers.

    Raises
    ------
    DataError
        With everything that is wrong: columns missing, a user_id missing or repeated, an offer
        that the run does not have, outcomes that are missing, infinite or impossible, nobody of
        the run.
    """
    where, names = source.where, source.columns
    lacking = missing_columns([USER_ID, CONVERSION], names, where=where)
    if lacking:
        raise DataError(*lacking)
    wanted = [USER_ID, CONVERSION, SPEND, COST, TrialColumn.OFFER, Outcomes.OFFER_ID, Outcomes.AT]
    table = source.table([name for name in wanted if name in names])
    return outcomes_of(table, user_id, offers, where=where)


def outcomes_of(
    table: pa.Table, user_id: pa.Array, offers: tuple[str, ...], *, where: str
) -> Outcomes:
    """Return what a table says that users did; arguments and errors as of `read_outcomes`.

    Parameters
    ----------
    where
        How faults call the table.
    """
    checks = RowChecks(where=where, user_id=table.column(USER_ID))
    checks.unique_ids()
    numbers = checked_outcomes(table, checks)
    offer = _offers(table, offers, checks)
    moments = _moments(table, checks)
    checks.done()
    place = places(as_id(table.column(USER_ID)).to_pandas(), user_id.to_pandas())
    is_of_run = place >= 0
    if not is_of_run.any():
        what = say("none of its {rows:,} rows is about a user of the run", rows=table.num_rows)
        raise DataError(Fault(where, what, say("ids such as {id}", id=user_id[0].as_py())))

    def spread(values: FloatArray | None) -> FloatArray | None:
        if values is None:
            return None
        all_users = np.zeros(len(user_id))
        all_users[place[is_of_run]] = values[is_of_run]
        return all_users

    reached = None if offer is None else np.full(len(user_id), Outcomes.NOT_KNOWN, dtype=np.int16)
    if offer is not None and reached is not None:
        reached[place[is_of_run]] = offer[is_of_run]
    named = np.zeros(len(user_id), dtype=np.bool_)
    named[place[is_of_run]] = True
    did = spread(numbers[CONVERSION])
    assert did is not None
    return Outcomes(
        named=named,
        conversion=did,
        spend=spread(numbers.get(SPEND)),
        cost=spread(numbers.get(COST)),
        offer=reached,
        strangers=int((~is_of_run).sum()),
        at=None if moments is None else _spread_moments(moments, place, len(user_id)),
    )


def _moments(table: pa.Table, checks: RowChecks) -> IntArray | None:
    """Return when each row was, (r,) int64 microseconds since 1970; None without a column."""
    if Outcomes.AT not in table.column_names:
        return None
    given = table.column(Outcomes.AT).to_pandas()
    times = pd.to_datetime(given, utc=True, errors="coerce", format="ISO8601")
    checks.refuse(
        np.asarray(times.isna()),
        say("`{at}` is no time", at=Outcomes.AT),
        expected="such as 2026-11-11T20:00:00Z",
    )
    micros = times.dt.as_unit("us").astype("int64")
    return np.asarray(micros, dtype=np.int64)


def _spread_moments(moments: IntArray, place: IntArray, users: int) -> IntArray:
    at = np.zeros(users, dtype=np.int64)
    at[place[place >= 0]] = moments[place >= 0]
    return at


def checked_outcomes(table: pa.Table, checks: RowChecks) -> dict[str, FloatArray]:
    """Return those of conversion, spend and cost that a table has, (n,) float64 each.

    What is missing, infinite or impossible goes to `checks`.
    """
    names = [name for name in OUTCOMES if name in table.column_names]
    outcomes = {
        name: checks.numbers(name, table.column(name)).astype(np.float64, copy=False)
        for name in names
    }
    for name in names:
        missing = is_missing(whole(table.column(name)))
        checks.refuse(
            missing, say("`{name}` is missing", name=name), expected="an outcome in each row"
        )
    conversion, cost = outcomes.get(CONVERSION), outcomes.get(COST)
    if conversion is not None:
        odd = ~np.isnan(conversion) & (conversion != 0) & (conversion != 1)
        checks.refuse(
            odd, say("`{conversion}` is neither 0 nor 1", conversion=CONVERSION), expected="0 or 1"
        )
    if cost is not None:
        checks.refuse(cost < 0, say("`{cost}` is negative", cost=COST), expected="at least 0")
    return outcomes


def _offers(
    table: pa.Table, offers: tuple[str, ...], checks: RowChecks
) -> npt.NDArray[np.int16] | None:
    """Return what reached each row's user, -1 for nothing; None without a column of it."""
    name = next(
        (each for each in (Outcomes.OFFER_ID, TrialColumn.OFFER) if each in table.column_names),
        None,
    )
    if name is None:
        return None
    place, is_unknown = offer_places(table.column(name), offers)
    checks.refuse(
        is_unknown,
        say("`{name}` is not an offer of the run", name=name),
        expected=say("one of {offers}, or nothing", offers=tuple(offers)),
    )
    return place.astype(np.int16)


def offer_places(
    column: pa.ChunkedArray, offers: tuple[str, ...]
) -> tuple[npt.NDArray[np.int64], BoolArray]:
    """Return the place of each row's offer, −1 for none; and which rows name no offer at all.

    Parameters
    ----------
    column
        Ids of offers; missing, empty or `control` where there is none. Offers may have numbers
        for names, which a table with gaps holds as floats.
    """
    given = column.to_pandas()
    if is_float_dtype(given) and given.dropna().mod(1).eq(0).all():
        # without the `.0` that a gap in the column had put behind the names
        given = given.astype("Int64")
    text = given.astype("str")
    nothing = np.asarray(given.isna() | text.isin(["", CONTROL]), dtype=np.bool_)
    place = np.asarray(pd.Index(offers).get_indexer(pd.Index(text)), dtype=np.int64)
    return np.where(nothing, -1, place), (place < 0) & ~nothing
