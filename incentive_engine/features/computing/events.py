"""The features that events in memory make at given moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from incentive_engine.domain import IntArray
from incentive_engine.features.computing.finish import Values, finished
from incentive_engine.features.computing.kernel import Scratch, reckon
from incentive_engine.features.computing.program import FeatureProgram
from incentive_engine.features.computing.sorted_events import SortedEvents


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
