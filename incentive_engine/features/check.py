"""What event logs lack for a policy, told from metadata and some of their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from incentive_engine.config.policy import Policy
from incentive_engine.data.sources.source import Source
from incentive_engine.errors import Fault, IncentiveError
from incentive_engine.features.logs.log import (
    LogCounts,
    LogReader,
    refuse_without_events,
)
from incentive_engine.features.logs.opening import open_log
from incentive_engine.features.logs.source import LogSource
from incentive_engine.features.logs.times import is_without_zone
from incentive_engine.features.plan import feature_plan, history_of, read_moments, unknown_kinds
from incentive_engine.language import Message, say

Opened = TypeVar("Opened")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryCheck:
    """What was found of a policy's logs.

    Attributes
    ----------
    logs
        A line for each log that could be read.
    faults
        What stops a run.
    warnings
        What a planner should know: of a log of which some rows were read, what these lack.
    """

    logs: tuple[Message, ...] = ()
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contents:
    """What the rows that were read hold, in the place of a log that was read as a whole."""

    kinds: tuple[str, ...]
    logs: tuple[LogCounts, ...]


def check_history(policy: Policy, tables: Mapping[str, Source], *, at_most: int) -> HistoryCheck:
    """Look at the logs of a policy, and at the moments of its tables.

    Parameters
    ----------
    tables
        ``users``, ``trial`` or both.
    at_most
        Rows of a table that are looked at.
    """
    faults: list[Fault] = []
    history = history_of(policy)
    opened = [_tried(faults, partial(open_log, log)) for log in history.logs]
    sources = [source for source in opened if source is not None]
    reader = LogReader(history=history, sources=tuple(sources))
    tried = [(each, _tried(faults, partial(reader.look, each, at_most))) for each in sources]
    looks = [(source, *look) for source, look in tried if look is not None]
    rows = _tried(faults, lambda: read_moments(policy, tables, at_most=at_most))
    logs = tuple(counts for _, counts, _ in looks)
    contents = _Contents(kinds=reader.kinds.values, logs=logs)
    warnings = [*_without_zone(policy, tables, sources)]
    if not faults and rows and all(is_whole for _, _, is_whole in looks):
        _tried(faults, lambda: refuse_without_events(logs))
        if not faults:
            _tried(faults, lambda: feature_plan(policy, contents, rows))
    elif not faults:
        warnings += _unseen_kinds(policy, contents)
    return HistoryCheck(
        logs=tuple(_line(counts, source) for source, counts, _ in looks),
        faults=tuple(faults),
        warnings=tuple(warnings),
    )


def _tried(faults: list[Fault], attempt: Callable[[], Opened]) -> Opened | None:
    """Return what an attempt gives; None where it fails, with what is wrong among the faults."""
    try:
        return attempt()
    except IncentiveError as error:
        faults.extend(error.faults)
        return None


def _without_zone(
    policy: Policy, tables: Mapping[str, Source], sources: Sequence[LogSource]
) -> Iterator[Message]:
    """Yield the moments that are taken for UTC though the logs' times name their zone."""
    history = history_of(policy)
    zoned = [source.where for source in sources if source.log.time in source.zoned]
    if not zoned or "timezone" in history.model_fields_set:
        return
    moments = {"users": history.moments.users, "trial": history.moments.trial}
    for name, table in tables.items():
        moment = moments[name]
        if moment is None or (moment in table.columns and moment in table.zoned()):
            continue
        if moment in table.columns or is_without_zone(moment):
            yield say("checked.without_zone", name=name, moment=moment, log=zoned[0])


def _unseen_kinds(policy: Policy, contents: _Contents) -> Iterator[Message]:
    declared = history_of(policy).features
    if not isinstance(declared, str):
        for fault in unknown_kinds(policy, declared, contents):
            yield say(
                "checked.of_sample",
                fault=say("fault.where", text=fault.what, part=fault.where),
                hint=fault.remedy,
            )


def _line(counts: LogCounts, source: LogSource) -> Message:
    rows = source.table.rows() or counts.rows
    if counts.first is None or counts.last is None:
        return say("checked.log_without_events", where=counts.where, rows=rows)
    return say(
        "checked.log",
        where=counts.where,
        rows=rows,
        kinds=tuple(sorted(counts.kinds)),
        first=_day(counts.first),
        last=_day(counts.last),
    )


def _day(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).strftime("%Y-%m-%d")
