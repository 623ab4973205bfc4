"""How users of a campaign were to come, and what of what is held comes back meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Self

import numpy as np

from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.allocation.pacing.room import Bounds, Hold, room, stays_of_open
from incentive_engine.config.schedule.campaign import Campaign as Times
from incentive_engine.config.schedule.moments import in_zone
from incentive_engine.domain import BUDGET, FACE, ISSUED, MICROS, FloatArray
from incentive_engine.live.ledger.commands import Standing
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


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldReturns:
    """How what a campaign holds comes back.

    Attributes
    ----------
    hold
        Microseconds for which an offer stays reserved; None: until it cannot be redeemed.
    measures
        What each limit sums.
    """

    forecast: ArrivalForecast
    hold: int | None
    measures: Mapping[str, str | None]

    @property
    def faces_return(self) -> bool:
        """Whether the budget is held at face value, and comes back but for what is redeemed.

        Then the plan's prices, at which face values alone fit, are too high from the beginning.
        """
        return self.hold is not None and self.measures.get(BUDGET) == FACE

    def stays(self, name: str, chance: float) -> float:
        """Return the share of what a reservation holds of a limit that is settled in the end.

        Parameters
        ----------
        chance
            What offers are expected to cost of their face value, 0 to 1.
        """
        return chance if self.measures[name] in {FACE, ISSUED} else 1.0

    def kept(self, limit: Standing, chance: float | None) -> int:
        """Return what of a limit will not come back: millionths, or issued offers.

        Parameters
        ----------
        chance
            As `stays` has it; None while nobody knows, and all counts.
        """
        reserved = limit.reserved
        if chance is not None and self.hold is not None:
            reserved = round(reserved * stays_of_open(self.stays(limit.name, chance), chance))
        return limit.settled + limit.margin + reserved

    def left(
        self, limits: Sequence[Standing], now: int, chance: float | None
    ) -> dict[str, Bounds]:
        """Return what those to come may take of each limit, in its own unit.

        Parameters
        ----------
        now
            Microseconds since 1970.
        chance
            As `kept` has it.
        """
        left = {}
        for limit in limits:
            unit = 1 if limit.is_count else MICROS
            used = limit.reserved + limit.margin + limit.settled
            most, least = limit.at_most, limit.at_least
            at_least = None if least is None else max(least - used, 0) / unit
            if most is None:
                if least is not None:
                    left[limit.name] = Bounds(at_most=None, at_least=at_least)
                continue
            remaining = (most - used) / unit
            if chance is not None and self.hold is not None:
                stays = self.stays(limit.name, chance)
                hold = self.forecast.hold(now, self.hold, stays=stays, chance=chance)
                reserved, settled = limit.reserved / unit, (limit.settled + limit.margin) / unit
                fits = room(most / unit, settled=settled, reserved=reserved, hold=hold)
                remaining = min(fits)
                if limit.name == BUDGET and self.faces_return:
                    # face values must fit while they are held, and costs, which are lower, in the
                    # end
                    remaining = fits.meanwhile
                    costs = min(fits.in_the_end * stays, fits.meanwhile)
                    left[Prices.COSTS] = Bounds(at_most=costs, at_least=None)
            left[limit.name] = Bounds(at_most=remaining, at_least=at_least)
        return left
