"""History features in words, and the groups that they are judged by."""

from __future__ import annotations

from collections.abc import Sequence

from incentive_engine.config.schedule.durations import Duration
from incentive_engine.features.computing.history_columns import HistoryColumn
from incentive_engine.features.computing.statistics import STATISTICS
from incentive_engine.language import Message, Value, say
from incentive_engine.language.wording import named


def feature_words(column: HistoryColumn) -> Message:
    """Return what a feature is, in words.

    >>> feature_words(HistoryColumn(name="recency_order", verb="recency", kind="order")).text("en")
    'days since the last order'
    """
    values: dict[str, Value] = {"kind": named("kind", column.kind)}
    if column.window is not None:
        values["window"] = _window_words(column.window)
    if column.to is not None:
        values["other"] = named("kind", column.to)
    if column.offer is not None:
        values["offer"] = column.offer
    return say(f"history.{column.verb}", **values)


def groups_of(columns: Sequence[HistoryColumn]) -> list[tuple[Message, tuple[str, ...]]]:
    """Return what features are judged by: each family, windows up to each length, and all.

    Returns
    -------
    Each group's words, and the names of its features.
    """
    families = dict.fromkeys(STATISTICS[column.verb].family for column in columns)
    windows = {column.window.micros: column.window for column in columns if column.window}
    groups = [
        (
            say("added.family", family=say(f"family.{family}")),
            [column.name for column in columns if STATISTICS[column.verb].family == family],
        )
        for family in families
    ]
    groups += [
        (
            say("added.within", window=_window_words(windows[micros])),
            [c.name for c in columns if c.window is not None and c.window.micros <= micros],
        )
        for micros in sorted(windows)
    ]
    groups.append((say("added.all"), [column.name for column in columns]))
    return [(words, tuple(names)) for words, names in groups]


def _window_words(window: Duration) -> Message:
    unit = window.text.lstrip("0123456789")
    return say(f"window.{unit}", length=int(window.text.removesuffix(unit)))
