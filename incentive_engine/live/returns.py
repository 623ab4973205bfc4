"""What is left of a campaign's limits for those to come, when what is held comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.allocation.pacing.room import Bounds, room, stays_of_open
from incentive_engine.domain import BUDGET, FACE, ISSUED, MICROS
from incentive_engine.live.forecast import ArrivalForecast
from incentive_engine.live.ledger.commands import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
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
