"""Durations as operators write them."""

from __future__ import annotations

import re
from typing import Final

from incentive_engine.errors import ConfigError, Fault

UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
DURATION: Final = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])")


def parse_duration(text: str, *, where: str) -> float | None:
    """Return a duration in seconds; None for `ever`.

    >>> parse_duration("15m", where="--hold"), parse_duration("ever", where="--hold")
    (900.0, None)

    Raises
    ------
    ConfigError
        When it is none, or nothing at all.
    """
    if text == "ever":
        return None
    match = DURATION.fullmatch(text)
    seconds = float(match[1]) * UNITS[match[2]] if match else 0.0
    if seconds <= 0:
        what = "is no duration"
        raise ConfigError(Fault(f"{where} {text}", what, "such as 90s, 15m, 2h, 3d, or ever"))
    return seconds
