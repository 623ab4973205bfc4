"""The time of a ledger's writer, and moments as text."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from incentive_engine.domain import MICROS


def wall_micros() -> int:
    """Return the wall clock's time, microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def uptime_micros() -> int:
    """Return microseconds since the machine started, sleep included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class Clock:
    """The wall clock's time at the start, and from there on at the pace of the machine's uptime.

    >>> wall, uptime = iter([50, 90_000_000]), iter([0, 7])
    >>> Clock(wall=lambda: next(wall), uptime=lambda: next(uptime)).now()
    57
    """

    def __init__(
        self,
        *,
        wall: Callable[[], int] = wall_micros,
        uptime: Callable[[], int] = uptime_micros,
    ) -> None:
        self._wall, self._uptime = wall, uptime
        self._offset = wall() - uptime()

    def now(self) -> int:
        """Return microseconds since 1970 UTC."""
        uptime, wall = self._uptime(), self._wall()
        # microseconds by which the wall clock may differ to be followed: it is set right in small
        # steps. A larger jump is somebody's mistake, and would let reservations run out, or none
        # any more.
        followed = 2_000_000
        if abs(wall - uptime - self._offset) <= followed:
            self._offset = wall - uptime
        return uptime + self._offset


@lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def moment_text(micros: int) -> str:
    """Return a moment as text, in UTC.

    >>> moment_text(1_800_000_000_000_001)
    '2027-01-15T08:00:00.000001Z'
    """
    seconds, fraction = divmod(micros, MICROS)
    return f"{_second_text(seconds)}.{fraction:06d}Z"
