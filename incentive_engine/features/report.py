"""What a planner should know of the logs: what was left out, late, or never seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from incentive_engine.config.durations import DAY
from incentive_engine.data.row_checks import counted
from incentive_engine.features.events import Features
from incentive_engine.features.moments import Rows
from incentive_engine.features.shards import ShardedLog

STALE: Final = DAY
"""Microseconds before the moment at which a log that goes on would have had events."""


def history_notes(log: ShardedLog, rows: Rows, features: Features) -> list[str]:
    """Return what the logs hold, what was left out of them, and who has no history."""
    return [*_of_logs(log, rows), *_of_rows(log, features)]


def _of_logs(log: ShardedLog, rows: Rows) -> Iterator[str]:
    latest = rows.span[1]
    for own in log.logs:
        left_out = {
            "without a user": own.without_user,
            "without a time": own.without_time,
            "of campaigns that are left out": own.own_campaign,
        }
        for why, count in left_out.items():
            if count:
                yield f"note: {own.where}: left out {counted(count)} {why}"
        if own.last is not None and latest - own.last > STALE:
            days = (latest - own.last) / DAY
            yield f"warning: {own.where}: ends {days:,.1f} days before the moment"


def _of_rows(log: ShardedLog, features: Features) -> Iterator[str]:
    if log.repeats:
        yield f"note: {counted(log.repeats)} repeat another one, and count as events of their own"
    if late := int(features.late.sum()):
        yield f"note: {late:,} events arrived after the moment, and are unseen"
    without = int((features.seen == 0).sum())
    if without:
        yield f"note: {counted(without)} of {len(features.seen):,} have no event before the moment"
