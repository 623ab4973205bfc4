"""When users come: waves, hours of the day, a rush at the opening."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from incentive_engine.config.schedule.campaign import Calendar, Traffic, Wave
from incentive_engine.domain import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrivals:
    """When each of n users comes.

    Attributes
    ----------
    wave : (n,) int64
        Position in the calendar; -1 for users who never come.
    hour : (n,) float64
        Hours since the calendar's start; infinite for users who never come.
    order : (n_coming,) int64
        The users who come, the first one first.
    """

    wave: IntArray
    hour: FloatArray
    order: IntArray


def arrivals(eagerness: FloatArray, calendar: Calendar) -> Arrivals:
    """Return when users come: the eager ones first, in the shapes of the calendar.

    Parameters
    ----------
    eagerness
        (n,) float64, the higher the earlier.
    calendar
        The waves and their shares.
    """
    n = len(eagerness)
    order = np.argsort(-eagerness, kind="stable")
    position = np.empty(n)
    position[order] = (np.arange(n) + 0.5) / n
    edges = np.cumsum([wave.share for wave in calendar.waves])
    wave = np.searchsorted(edges, position, side="left").astype(np.int64)
    hour = np.full(n, np.inf)
    for index, one in enumerate(calendar.waves):
        inside = wave == index
        if one.share > 0:
            within = (position[inside] - (edges[index] - one.share)) / one.share
            start = hours_between(calendar.waves[0].start, one.start)
            hour[inside] = start + times_of(within, one)
    wave[wave == len(edges)] = -1
    return Arrivals(wave=wave, hour=hour, order=order[wave[order] >= 0])


def times_of(share: FloatArray, wave: Wave) -> FloatArray:
    """Return after how many hours of a wave given shares of its users have come."""
    grid, density = traffic(wave)
    come = np.concatenate([[0.0], np.cumsum(density)])
    return np.interp(share, come / come[-1], grid)


def traffic(wave: Wave) -> tuple[FloatArray, FloatArray]:
    """Return a grid over a wave, (m + 1,) hours since its start, and the traffic between, (m,)."""
    length = hours_between(wave.start, wave.end)
    # 0.05: traffic is constant over three minutes
    grid = np.linspace(0.0, length, max(2, int(np.ceil(length / 0.05))) + 1)
    middle = (grid[1:] + grid[:-1]) / 2
    clock = wave.start.hour + wave.start.minute / 60 + middle
    # of a shopping app per hour: asleep at four, a late morning, an evening peak
    of_day = np.array(
        [
            *(2.6, 1.6, 1.0, 0.7, 0.6, 0.8, 1.5, 2.7, 3.9, 4.9, 5.5, 5.3),
            *(5.0, 5.0, 5.1, 5.2, 5.0, 4.6, 4.7, 5.6, 7.0, 7.9, 7.3, 5.0),
        ]
    )
    usual = of_day[np.floor(clock).astype(np.int64) % 24]
    return grid, usual * _shape(middle, length=length, kind=wave.traffic, usual=usual)


def _shape(hour: FloatArray, *, length: float, kind: Traffic, usual: FloatArray) -> FloatArray:
    if kind == "even":
        return np.asarray(1 / usual)
    if kind == "opening":
        # 2.0: hours in which the rush of an opening halves
        # 14.0: the rush at its start, as a multiple of the wave's usual traffic; about a fifth of
        # a day's traffic in the first hour
        rush = 14.0 * 0.5 ** (hour / 2.0) * usual.mean() / usual
        return np.asarray(1 + rush)
    if kind == "closing":
        return 0.5 + 1.5 * (hour / length) ** 2
    return np.ones_like(hour)


def hours_between(start: datetime, end: datetime) -> float:
    """Return how many hours lie between two moments."""
    return (end - start).total_seconds() / 3600
