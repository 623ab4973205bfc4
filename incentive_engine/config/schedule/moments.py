"""Points in time, as planners write them: local, without a zone of their own."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, NoReturn
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, StringConstraints

from incentive_engine.config.document.problems import FieldProblem, reject
from incentive_engine.config.document.words import Words
from incentive_engine.errors import nearest
from incentive_engine.language import say


def parse_moment(text: str) -> datetime:
    """Read a local time.

    Raises
    ------
    ValueError
        When it is not one, or names a zone.

    >>> parse_moment("2026-10-31 20:00")
    datetime.datetime(2026, 10, 31, 20, 0)
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError("a local time names no zone")
    return moment


def last_moment(text: str) -> datetime:
    """Read the last second at which something holds; a day alone is meant to its end.

    Raises
    ------
    ValueError
        As `parse_moment`.

    >>> last_moment("2026-11-11")
    datetime.datetime(2026, 11, 11, 23, 59, 59)
    """
    moment = parse_moment(text)
    # who writes a day as the last one means its evening, not its midnight
    is_a_day = re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()) is not None
    return moment + timedelta(days=1, seconds=-1) if is_a_day else moment


def _moment(value: object) -> object:
    return _read(value, parse_moment)


def _last_moment(value: object) -> object:
    return _read(value, last_moment)


def _read(value: object, parse: Callable[[str], datetime]) -> object:
    if isinstance(value, datetime):
        return value
    try:
        return parse(value) if isinstance(value, str) else _reject_moment(value)
    except ValueError:
        return _reject_moment(value)


def _reject_moment(value: object) -> NoReturn:
    reject(
        FieldProblem(
            (),
            say("{value} is not a time", value=repr(value)),
            "a local time such as 2026-10-31 20:00",
        )
    )


def _known_zone(value: str) -> str:
    if value not in available_timezones():
        remedy = nearest(value, available_timezones()) if "/" in value else ""
        reject(
            FieldProblem(
                (),
                say("no time zone is called `{value}`", value=value),
                "such as Asia/Shanghai",
                remedy,
            )
        )
    return value


def in_zone(moment: datetime, zone: str) -> datetime:
    """Return the same wall clock time with its zone's offset.

    >>> in_zone(datetime(2026, 11, 11), "Asia/Shanghai").isoformat()
    '2026-11-11T00:00:00+08:00'
    """
    return moment.replace(tzinfo=ZoneInfo(zone))


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    PlainSerializer(str, when_used="json"),
    Words("a local time such as 2026-10-31 20:00"),
]
LastMoment = Annotated[
    datetime,
    BeforeValidator(_last_moment),
    PlainSerializer(str, when_used="json"),
    Words("a local time, or a day such as 2026-11-11, to its end"),
]
TimeZone = Annotated[
    str,
    StringConstraints(min_length=1),
    AfterValidator(_known_zone),
    Words("a time zone such as Asia/Shanghai"),
]
