"""What a planner should know of the logs: what was left out, late, or never seen."""

from __future__ import annotations

from collections.abc import Iterator

from incentive_engine.config.schedule.durations import DAY
from incentive_engine.features.computing.events import ComputedFeatures
from incentive_engine.features.logs.moments import MomentRows
from incentive_engine.features.shards import ShardedLog
from incentive_engine.language import Message, say


def history_notes(log: ShardedLog, features: ComputedFeatures) -> list[Message]:
    """Return what was left out of the logs, what is unseen, and who has no history."""
    return [*_of_logs(log), *_of_rows(log, features)]


def history_warnings(log: ShardedLog, rows: MomentRows) -> list[Message]:
    """Return the logs that end before the latest moment: what they count stands still."""
    latest = rows.span[1]
    # microseconds before the moment at which a log that goes on would have had events
    return [
        say("noted.ends", where=own.where, days=(latest - own.last) / DAY)
        for own in log.logs
        if own.last is not None and latest - own.last > DAY
    ]


def _of_logs(log: ShardedLog) -> Iterator[Message]:
    for own in log.logs:
        if own.without_user:
            yield say("noted.without_user", where=own.where, rows=own.without_user)
        if own.without_time:
            yield say("noted.without_time", where=own.where, rows=own.without_time)
        if own.own_campaign:
            yield say("noted.own_campaign", where=own.where, rows=own.own_campaign)


def _of_rows(log: ShardedLog, features: ComputedFeatures) -> Iterator[Message]:
    if log.repeats:
        yield say("noted.repeats", rows=log.repeats)
    if late := int(features.late.sum()):
        yield say("noted.late", events=late)
    if without := int((features.seen == 0).sum()):
        yield say("noted.nobody", rows=without, all=len(features.seen))
