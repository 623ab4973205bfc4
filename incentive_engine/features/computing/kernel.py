"""The compiled pass over one user's events: all kinds, statistics and windows at once.

All windows of a row end at its moment (less the delay), so they are nested. The pass walks back
from the moment and keeps running integers per kind; when it reaches the far end of a window, the
running integers are that window's, and are written down:

    time    ──────●───●──────────●────●───●────┤ moment − delay
    30 days       ├──────────────────────── … ─┤    written down last
    7 days                   ├──────────── … ──┤    written down on meeting the third event

Everything is counted in integers (squares in 128 bits), so that neither the order of rows nor a
cut into shards can change a number; the one sum of logarithms runs over counts in ascending order.
Divisions are made elsewhere, once (`finish.py`).
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from incentive_engine.config.schedule.durations import DAY
from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.jit import compiled

Codes = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint64]

NO_AMOUNT: Final = np.iinfo(np.int64).min
"""Stands where an event has no amount."""
COUNT, LAST, FIRST, SUM, AMOUNTS, MOST, LEAST, SPAN, ACTIVE = range(9)
CATEGORIES, DISTINCT, TOP = range(9, 12)
MATCH, AMOUNT_SQUARES, GAP_SQUARES, LOGARITHMS = range(13, 17)
"""What is written down: integers, but for the last three, which are floats.

``LAST`` and ``FIRST`` are microseconds before the moment, ``SPAN`` those between first and last,
``AMOUNTS`` and ``CATEGORIES`` the events that have one. The squares are n Σ x² − (Σ x)², of
amounts or of gaps in microseconds; ``LOGARITHMS`` is Σ c (ln n − ln c) over counts c per category.
"""

USES_AMOUNT, USES_AMOUNT_SQUARES, USES_GAP_SQUARES, USES_DAYS, USES_MATCH = 1, 2, 4, 8, 16
"""What of a group's running integers somebody asks for, as bits."""


class EventArrays(NamedTuple):
    """Events of users, those of a user together and in order of time.

    Attributes
    ----------
    time : (n,) int64
        Microseconds since 1970, UTC.
    kind : (n,) int32
        Place in the list of kinds, −1 where no declaration names it.
    category : (n,) int32
        Code of the category, −1 without one.
    amount : (n,) int64
        Minor units, `NO_AMOUNT` without one.
    known : (n,) int64 or empty
        When the row arrived; empty where that is never said.
    """

    time: IntArray
    kind: Codes
    category: Codes
    amount: IntArray
    known: IntArray


class ProgramArrays(NamedTuple):
    """What declarations ask for, as the pass reads it.

    A group is one kind with all its windows; the lists of a group, a window or a kind are runs
    of a flat array, from ``…_start[i]`` to ``…_start[i + 1]``.

    Attributes
    ----------
    kind_start, kind_groups : int32
        The groups that an event takes part in, by its kind plus 1.
    window_start : (groups + 1,) int32
    window : (windows,) int64
        Microseconds, ascending within a group.
    emit_start, emit, slot, offer : int32
        What is written down at a window, and into which column.
    uses : (groups,) int32
        Bits.
    counter : (groups,) int32
        Row of the counts per category; −1 where nobody asks.
    category_start, category_offers : int32
        The offers that a category counts for.
    """

    kind_start: Codes
    kind_groups: Codes
    window_start: Codes
    window: IntArray
    emit_start: Codes
    emit: Codes
    slot: Codes
    offer: Codes
    uses: Codes
    counter: Codes
    category_start: Codes
    category_offers: Codes


class Scratch(NamedTuple):
    """Counts per category, all 0 between users, and room for those that were touched.

    Attributes
    ----------
    counts : (counters, categories) int32
    touched : (counters, largest number of events of a user, at most categories) int32
    """

    counts: npt.NDArray[np.int32]
    touched: npt.NDArray[np.int32]


@compiled
def product(one: np.uint64, two: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return the high and the low word of a product of two words."""
    # by halves of 32 bits, whose products no 64 bits overflow
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    a, b = one >> half, one & mask
    c, d = two >> half, two & mask
    low, inner, outer = b * d, a * d, b * c
    middle = (low >> half) + (inner & mask) + (outer & mask)
    high = a * c + (inner >> half) + (outer >> half) + (middle >> half)
    return high, (low & mask) | (middle << half)


@compiled
def add_square(total: Words, value: int) -> None:
    """Add the square of an integer to a sum of two words, the high one first."""
    size = np.uint64(abs(value))
    high, low = product(size, size)
    before = total[1]
    total[1] = before + low
    # a low word that became smaller has overflowed, and carries one
    total[0] += high + np.uint64(total[1] < before)


@compiled
def spread(total: Words, count: int, linear: int) -> float:
    """Return n Σ x² − (Σ x)², exact in 128 bits, then as a float."""
    times = np.uint64(count)
    high, low = product(total[1], times)
    high += total[0] * times
    size = np.uint64(abs(linear))
    high_square, low_square = product(size, size)
    # what the low words lack is borrowed from the high ones
    borrow = np.uint64(low < low_square)
    return float(high - high_square - borrow) * 18446744073709551616.0 + float(low - low_square)


@compiled
def logarithms(
    counts: npt.NDArray[np.int32], touched: npt.NDArray[np.int32], distinct: int, events: int
) -> float:
    """Return Σ c (ln n − ln c) over the counts that were touched, in ascending order of c."""
    own = np.empty(distinct, dtype=np.int32)
    for place in range(distinct):
        own[place] = counts[touched[place]]
    # floats are added in one order, whatever that of the events
    own.sort()
    whole, total = math.log(events), 0.0
    for count in own:
        total += count * (whole - math.log(count))
    return total


@compiled
def write_down(  # noqa: PLR0917 - compiled loops are called by position
    emit: Codes,
    slot: Codes,
    offer: Codes,
    state: IntArray,
    match: IntArray,
    squares: Words,
    counts: npt.NDArray[np.int32],
    touched: npt.NDArray[np.int32],
    integers: IntArray,
    floats: FloatArray,
) -> None:
    """Write what is asked of one window of a group into the columns of one row."""
    for place in range(len(emit)):
        what = emit[place]
        if what == MATCH:
            integers[slot[place]] = match[offer[place]]
        elif what == AMOUNT_SQUARES:
            floats[slot[place]] = spread(squares[0], state[AMOUNTS], state[SUM])
        elif what == GAP_SQUARES:
            floats[slot[place]] = spread(squares[1], max(state[COUNT] - 1, 0), state[SPAN])
        elif what != LOGARITHMS:
            integers[slot[place]] = state[what]
        elif state[CATEGORIES]:
            floats[slot[place]] = logarithms(counts, touched, state[DISTINCT], state[CATEGORIES])


@compiled
def reckon(  # noqa: C901, PLR0912, PLR0915, PLR0917 - calls for each event would take longer
    events: EventArrays,
    program: ProgramArrays,
    scratch: Scratch,
    start: IntArray,
    stop: IntArray,
    moment: IntArray,
    delay: int,
    offers: int,
    integers: npt.NDArray[np.int64],
    floats: npt.NDArray[np.float64],
    seen: IntArray,
    late: IntArray,
) -> None:
    """Write the integers of every row, and how many of its events were seen and were late.

    Parameters
    ----------
    start, stop
        (rows,) int64, where the events of each row's user begin and end.
    moment
        (rows,) int64, microseconds since 1970, UTC.
    delay
        Microseconds before the moment from which on events are unseen.
    integers, floats
        (rows, slots), all 0; filled.
    seen, late
        (rows,) int64; filled.
    """
    groups = len(program.uses)
    # running integers of a group: the integers above that are not per offer, and one more
    state = np.zeros((groups, 13), dtype=np.int64)
    match = np.zeros((groups, max(offers, 1)), dtype=np.int64)
    squares = np.zeros((groups, 2, 2), dtype=np.uint64)
    window = np.zeros(groups, dtype=np.int32)
    nothing = np.zeros(0, dtype=np.int32)
    arrivals = len(events.known) > 0
    # the last span of a day that held an event, counted back from the moment
    day_before = 12
    for row in range(len(moment)):
        now, first = moment[row], start[row]
        end = first + np.searchsorted(events.time[first : stop[row]], now - delay)
        state[:] = 0
        match[:] = 0
        squares[:] = np.uint64(0)
        open_groups = groups
        for group in range(groups):
            window[group] = program.window_start[group]
            state[group, day_before] = -1
        # back from the moment, so that every window is a stop on one way through the events
        for at in range(end - 1, first - 1, -1):
            if arrivals and events.known[at] > now:
                late[row] += 1
                continue
            age, kind = now - events.time[at], events.kind[at] + 1
            for each in range(program.kind_start[kind], program.kind_start[kind + 1]):
                group = program.kind_groups[each]
                last = program.window_start[group + 1]
                if window[group] == last:
                    continue
                own, counter = state[group], program.counter[group]
                # this event lies beyond the window: what has been added up is the window's
                while window[group] < last and age > program.window[window[group]]:
                    begin = program.emit_start[window[group]]
                    to = program.emit_start[window[group] + 1]
                    write_down(
                        program.emit[begin:to], program.slot[begin:to], program.offer[begin:to],
                        own, match[group], squares[group],
                        scratch.counts[counter] if counter >= 0 else nothing,
                        scratch.touched[counter] if counter >= 0 else nothing,
                        integers[row], floats[row],
                    )  # fmt: skip
                    window[group] += 1
                if window[group] == last:
                    open_groups -= 1
                    continue
                uses = program.uses[group]
                if own[COUNT] == 0:
                    own[LAST] = age
                elif uses & USES_GAP_SQUARES:
                    add_square(squares[group, 1], age - own[FIRST])
                own[COUNT] += 1
                own[FIRST] = age
                own[SPAN] = age - own[LAST]
                # the microsecond before the moment begins the first day: ages begin at 1
                if uses & USES_DAYS and (age - 1) // DAY != own[day_before]:
                    own[day_before] = (age - 1) // DAY
                    own[ACTIVE] += 1
                if uses & USES_AMOUNT and events.amount[at] != NO_AMOUNT:
                    amount = events.amount[at]
                    if own[AMOUNTS] == 0:
                        own[MOST] = amount
                        own[LEAST] = amount
                    own[MOST] = max(own[MOST], amount)
                    own[LEAST] = min(own[LEAST], amount)
                    own[AMOUNTS] += 1
                    own[SUM] += amount
                    if uses & USES_AMOUNT_SQUARES:
                        add_square(squares[group, 0], amount)
                category = events.category[at]
                if category >= 0:
                    if counter >= 0:
                        own[CATEGORIES] += 1
                        count = scratch.counts[counter, category] + 1
                        scratch.counts[counter, category] = count
                        if count == 1:
                            scratch.touched[counter, own[DISTINCT]] = category
                            own[DISTINCT] += 1
                        own[TOP] = max(own[TOP], count)
                    if uses & USES_MATCH:
                        for offer in range(
                            program.category_start[category], program.category_start[category + 1]
                        ):
                            match[group, program.category_offers[offer]] += 1
            # all windows end before the events that are left
            if open_groups == 0:
                break
        for group in range(groups):
            counter = program.counter[group]
            counts = scratch.counts[counter] if counter >= 0 else nothing
            touched = scratch.touched[counter] if counter >= 0 else nothing
            # windows that reach back beyond the first event, and the whole log
            for left in range(window[group], program.window_start[group + 1]):
                begin, to = program.emit_start[left], program.emit_start[left + 1]
                write_down(
                    program.emit[begin:to], program.slot[begin:to], program.offer[begin:to],
                    state[group], match[group], squares[group], counts, touched,
                    integers[row], floats[row],
                )  # fmt: skip
            # only what was touched is wiped: a shop has more categories than a user visits
            for at in range(state[group, DISTINCT]):
                counts[touched[at]] = 0
        seen[row] = end - first - late[row]
