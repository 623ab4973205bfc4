"""How users of a campaign were to come, and what of what is held comes back meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import Self

import numpy as np

from incentive_engine.allocation.pacing.room import Hold
from incentive_engine.config.schedule.campaign import Campaign as Times
from incentive_engine.config.schedule.moments import in_zone
from incentive_engine.domain import MICROS, FloatArray
from incentive_engine.simulation.market.traffic import traffic


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArrivalForecast:
    """How users were to come.

    Attributes
    ----------
    start, end
        Microseconds since 1970.
    come : (m + 1,) float64
        Share of the users who were to have come, at equal steps from start to end.
    """

    start: int
    end: int
    come: FloatArray

    @classmethod
    def of(cls, times: Times, zone: str) -> Self:
        """Return the forecast of a policy's campaign, whose times are of a zone."""
        _, density = traffic(times.wave)
        come = np.concatenate([[0.0], np.cumsum(density)])
        start, end = (
            round(in_zone(moment, zone).astimezone(UTC).timestamp() * MICROS)
            for moment in (times.start, times.end)
        )
        return cls(start=start, end=end, come=come / come[-1])

    def share(self, now: int) -> float:
        """Return the share of the users who were to have come by a time, 0 to 1."""
        return float(self.shares(np.array([now], dtype=np.float64))[0])

    def moment(self, share: float) -> int:
        """Return by when a share of the users was to have come, microseconds since 1970."""
        elapsed = np.interp(share, self.come, np.linspace(0.0, 1.0, len(self.come)))
        return self.start + round(float(elapsed) * (self.end - self.start))

    def shares(self, times: FloatArray) -> FloatArray:
        """Return (m,) float64 the shares by times, microseconds since 1970."""
        elapsed = (times - self.start) / (self.end - self.start)
        return np.interp(elapsed, np.linspace(0.0, 1.0, len(self.come)), self.come)

    def hold(self, now: int, longest: int, *, stays: float, chance: float) -> Hold:
        """Return how what is reserved comes back.

        Parameters
        ----------
        longest
            Microseconds for which something is reserved.
        stays, chance
            As `Hold` has them.
        """
        to_come = 1.0 - self.share(now)
        if now + longest >= self.end or to_come <= 0:
            none = np.zeros(0)
            return Hold(stays=stays, chance=chance, ages=none, coming=none, late=1.0)
        # moments of a hold at which it is seen whether what is held leaves room
        grid = 25
        ages = np.linspace(0.0, 1.0, grid)
        coming = (self.shares(now + ages * longest) - self.share(now)) / to_come
        late = (1.0 - self.share(self.end - longest)) / to_come
        return Hold(stays=stays, chance=chance, ages=ages, coming=coming, late=late)
