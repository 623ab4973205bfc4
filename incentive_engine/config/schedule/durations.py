"""Lengths of time as planners write them: ``7d``, ``12h``, ``0s``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from pydantic import BeforeValidator, PlainSerializer

from incentive_engine.config.document.problems import FieldProblem, reject
from incentive_engine.config.document.words import Words
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.language import message_of, say

SECOND: Final = 1_000_000
"""Microseconds."""
DAY: Final = 86_400 * SECOND
"""Microseconds of a day of history, whatever the clocks of a place do."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time, and how it was written: columns are named after that."""

    longest: ClassVar[int] = 36_500 * DAY
    """Sums of squares of longer ones do not fit into the integers of the kernel."""
    example: ClassVar[str] = "a length of time such as 7d, 12h or 0s"

    text: str
    micros: int

    def __str__(self) -> str:
        """Return the length as it was written."""
        return self.text


def micros_of_unit(unit: str) -> int:
    """Return the microseconds of a unit of time."""
    seconds = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
    return seconds[unit] * SECOND


def parse_duration(text: object) -> Duration:
    """Read a length of time.

    Raises
    ------
    ValueError
        When it is not a whole number with one of the units s, m (or min), h, d and w, or is
        longer than a hundred years.

    >>> parse_duration("7d").micros
    604800000000
    """
    match = (
        re.fullmatch(r"(?P<number>\d+)(?P<unit>s|min|m|h|d|w)", text.strip())
        if isinstance(text, str)
        else None
    )
    if match is None:
        raise ValueError(say("{text} is no length of time", text=repr(text)))
    micros = int(match["number"]) * micros_of_unit(match["unit"])
    if micros > Duration.longest:
        raise ValueError(say("{text} is longer than a hundred years", text=text))
    return Duration(match[0], micros)


def parse_seconds(text: str, *, where: str) -> float | None:
    """Return a length of time of the command line in seconds; None for `ever`.

    Raises
    ------
    ConfigError
        When it is none, or nothing at all.

    >>> parse_seconds("15m", where="--hold"), parse_seconds("ever", where="--hold")
    (900.0, None)
    """
    if text == "ever":
        return None
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])", text)
    seconds = float(match[1]) * (micros_of_unit(match[2]) / SECOND) if match else 0.0
    if seconds <= 0:
        what = "is no duration"
        raise ConfigError(Fault(f"{where} {text}", what, "such as 90s, 15m, 2h, 3d, or ever"))
    return seconds


def _duration(value: object) -> object:
    if isinstance(value, Duration):
        return value
    try:
        return parse_duration(value)
    except ValueError as error:
        reject(FieldProblem((), message_of(error), Duration.example))


def _window(value: object) -> object:
    length = _duration(value)
    if isinstance(length, Duration) and not length.micros:
        reject(
            FieldProblem(
                (), say("no event is within {text}", text=length.text), "a window longer than 0"
            )
        )
    return length


DurationField = Annotated[
    Duration,
    BeforeValidator(_duration),
    PlainSerializer(str, when_used="json"),
    Words(Duration.example),
]
Window = Annotated[
    Duration,
    BeforeValidator(_window),
    PlainSerializer(str, when_used="json"),
    Words("a length of time such as 7d or 12h"),
]
