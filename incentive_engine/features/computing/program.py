"""What the compiled pass is asked for: groups of windows, made from the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from incentive_engine.config.history import ANY
from incentive_engine.config.schedule.durations import Duration
from incentive_engine.features.computing import kernel
from incentive_engine.features.computing.history_columns import HistoryColumn
from incentive_engine.features.computing.kernel import Codes, ProgramArrays
from incentive_engine.features.computing.statistics import STATISTICS


@dataclass(frozen=True, slots=True)
class Slot:
    """One number that the pass writes down, and where it stands.

    Attributes
    ----------
    what
        One of the kernel's, such as ``COUNT``.
    offer
        Place of the offer of a match; −1 elsewhere.
    """

    kind: str
    window: int
    what: int
    offer: int = -1

    @property
    def is_float(self) -> bool:
        """Whether it stands among the floats."""
        return self.what in {kernel.AMOUNT_SQUARES, kernel.GAP_SQUARES, kernel.LOGARITHMS}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureProgram:
    """The columns, and what the pass writes down for them.

    Attributes
    ----------
    slots
        Each number to its place among the integers, or among the floats.
    arrays
        The same, as the pass reads it.
    offers, counters
        How many offers there are, and how many groups count categories.
    """

    columns: tuple[HistoryColumn, ...]
    slots: Mapping[Slot, int]
    arrays: ProgramArrays
    offers: tuple[str, ...]
    counters: int

    @property
    def widths(self) -> tuple[int, int]:
        """How many integers and how many floats each row has."""
        floats = sum(slot.is_float for slot in self.slots)
        return len(self.slots) - floats, floats


def build_program(
    columns: Sequence[HistoryColumn],
    *,
    kinds: Sequence[str],
    categories: Sequence[str],
    offer_categories: Mapping[str, Sequence[str]],
) -> FeatureProgram:
    """Return the program of some columns over a log.

    Parameters
    ----------
    kinds, categories
        The values that the log's codes stand for.
    offer_categories
        Each offer's categories, in the order of the offers.
    """
    offers = tuple(offer_categories)
    slots = _slots(columns, offers)
    groups = _groups(columns, slots)
    counters = sum(group.counts for group in groups)
    return FeatureProgram(
        columns=tuple(columns),
        slots=slots,
        arrays=_arrays(groups, slots, kinds, _matched(categories, offer_categories)),
        offers=offers,
        counters=counters,
    )


def window_of(column: HistoryColumn) -> int:
    """Return the length of a column's window, microseconds."""
    # a window that holds every event
    return 100 * Duration.longest if column.window is None else column.window.micros


def slots_of(column: HistoryColumn, offers: tuple[str, ...]) -> tuple[Slot, ...]:
    """Return the numbers that a column is made of, in the order in which it is made."""
    offer = -1 if column.offer is None else offers.index(column.offer)
    window, kind = window_of(column), column.kind
    parts = [(kind, window)]
    if column.to is not None:
        parts = [(kind, window), (column.to, window)]
    elif column.verb == "recent_share":
        parts = [(kind, window // 2), (kind, window)]
    needs = STATISTICS[column.verb].needs
    return tuple(Slot(kind, window, what, offer) for kind, window in parts for what in needs)


def _slots(columns: Sequence[HistoryColumn], offers: tuple[str, ...]) -> dict[Slot, int]:
    slots: dict[Slot, int] = {}
    widths = [0, 0]
    for slot in dict.fromkeys(slot for column in columns for slot in slots_of(column, offers)):
        slots[slot] = widths[slot.is_float]
        widths[slot.is_float] += 1
    return slots


@dataclass(slots=True, kw_only=True)
class _Group:
    """One kind: its windows, ascending, with what is written down at each."""

    kind: str
    uses: int = 0
    counts: bool = False
    windows: dict[int, list[Slot]] = field(default_factory=dict)


def _groups(columns: Sequence[HistoryColumn], slots: Mapping[Slot, int]) -> list[_Group]:
    groups = {slot.kind: _Group(kind=slot.kind) for slot in slots}
    for column in columns:
        statistic = STATISTICS[column.verb]
        groups[column.kind].uses |= statistic.uses
        groups[column.kind].counts |= statistic.per_category
    for slot in sorted(slots, key=lambda slot: slot.window):
        groups[slot.kind].windows.setdefault(slot.window, []).append(slot)
    return list(groups.values())


def _arrays(
    groups: Sequence[_Group],
    slots: Mapping[Slot, int],
    kinds: Sequence[str],
    matched: Sequence[Sequence[int]],
) -> ProgramArrays:
    takes_part = [[place for place, group in enumerate(groups) if group.kind == ANY]]
    takes_part += [
        [place for place, group in enumerate(groups) if group.kind in {ANY, kind}]
        for kind in kinds
    ]
    kind_start, kind_groups = _runs(takes_part)
    window_start, window = _runs([list(group.windows) for group in groups], dtype=np.int64)
    written = [window for group in groups for window in group.windows.values()]
    emit_start, emit = _runs([[slot.what for slot in window] for window in written])
    category_start, category_offers = _runs(matched)
    counter = np.cumsum([group.counts for group in groups], dtype=np.int32) - 1
    every = [slot for window in written for slot in window]
    return ProgramArrays(
        kind_start=kind_start,
        kind_groups=kind_groups.astype(np.int32),
        window_start=window_start,
        window=window.astype(np.int64),
        emit_start=emit_start,
        emit=emit.astype(np.int32),
        slot=np.array([slots[slot] for slot in every], dtype=np.int32),
        offer=np.array([slot.offer for slot in every], dtype=np.int32),
        uses=np.array([group.uses for group in groups], dtype=np.int32),
        counter=np.where([group.counts for group in groups], counter, -1).astype(np.int32),
        category_start=category_start,
        category_offers=category_offers.astype(np.int32),
    )


def _runs(
    lists: Sequence[Sequence[int]], dtype: npt.DTypeLike = np.int32
) -> tuple[Codes, npt.NDArray[np.int64]]:
    """Return where each list begins in all of them one after another, and these."""
    start = np.cumsum([0, *map(len, lists)], dtype=np.int32)
    return start, np.array([value for each in lists for value in each], dtype=dtype)


def _matched(
    categories: Sequence[str], offer_categories: Mapping[str, Sequence[str]]
) -> list[list[int]]:
    """Return the places of the offers that each category counts for."""
    matched: dict[str, list[int]] = {}
    for place, own in enumerate(offer_categories.values()):
        for category in dict.fromkeys(own):
            matched.setdefault(category, []).append(place)
    return [matched.get(category, []) for category in categories]
