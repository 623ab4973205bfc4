"""Events in memory, sorted by user and time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.domain import IntArray
from incentive_engine.features.computing.kernel import EventArrays


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
