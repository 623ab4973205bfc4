"""Events in memory, sorted by user and time, and the features that they make at given moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from incentive_engine.domain import IntArray
from incentive_engine.features.computing.finish import Values, finished
from incentive_engine.features.computing.kernel import EventArrays, Scratch, reckon
from incentive_engine.features.computing.program import FeatureProgram


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SortedEvents:
    """Events of some users, those of a user together and in order of time.

    Attributes
    ----------
    arrays
        The events.
    start
        (users + 1,) int64, where the events of each user begin.
    """

    arrays: EventArrays
    start: IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComputedFeatures:
    """Features of some rows.

    Attributes
    ----------
    columns
        Name to (rows,) int64 or float64, NaN where empty.
    seen
        (rows,) int64, events before the moment that were known by then.
    late
        (rows,) int64, events before the moment that arrived after it.
    """

    columns: Mapping[str, Values]
    seen: IntArray
    late: IntArray


def sorted_events(user: IntArray, arrays: EventArrays, *, users: int) -> SortedEvents:
    """Return events in order.

    Parameters
    ----------
    user
        (n,) int64, the user of each event, from 0 to below `users`.
    """
    order = np.lexsort((arrays.kind, arrays.time, user))
    counts = np.bincount(user, minlength=users)
    start = np.concatenate([[0], np.cumsum(counts)])
    return SortedEvents(arrays=in_order(arrays, order), start=start)


def in_order(arrays: EventArrays, order: IntArray) -> EventArrays:
    """Return events in another order, (n,) int64 places."""
    return EventArrays(
        time=arrays.time[order],
        kind=arrays.kind[order],
        category=arrays.category[order],
        amount=arrays.amount[order],
        known=arrays.known[order] if len(arrays.known) else arrays.known,
    )


def scratch_for(program: FeatureProgram, events: SortedEvents) -> Scratch:
    """Return the room that the pass counts categories in."""
    categories = len(program.arrays.category_start) - 1
    largest = min(int(np.diff(events.start).max(initial=0)), categories)
    counters = program.counters
    return Scratch(
        np.zeros((counters, categories if counters else 0), dtype=np.int32),
        np.zeros((counters, largest if counters else 0), dtype=np.int32),
    )


def features_at(
    program: FeatureProgram,
    events: SortedEvents,
    *,
    user: IntArray,
    moment: IntArray,
    delay: int,
    scratch: Scratch | None = None,
) -> ComputedFeatures:
    """Return the features of rows, each at its own moment.

    Parameters
    ----------
    user
        (rows,) int64, the place of each row's user among the users of the events, −1 without any.
    moment
        (rows,) int64, microseconds since 1970, UTC.
    delay
        Microseconds before the moment from which on events are unseen.
    scratch
        Room to use again; left out, new.
    """
    rows, (integers, floats) = len(moment), program.widths
    whole = np.zeros((rows, integers), dtype=np.int64)
    parts = np.zeros((rows, floats), dtype=np.float64)
    seen, late = np.zeros((2, rows), dtype=np.int64)
    has_events = user >= 0
    reckon(
        events.arrays,
        program.arrays,
        scratch or scratch_for(program, events),
        # a user without events has the empty run from 0 to 0
        np.where(has_events, events.start[user], 0),
        np.where(has_events, events.start[user + 1], 0),
        np.ascontiguousarray(moment, dtype=np.int64),
        delay,
        len(program.offers),
        whole,
        parts,
        seen,
        late,
    )
    return ComputedFeatures(columns=finished(program, whole.T, parts.T), seen=seen, late=late)
