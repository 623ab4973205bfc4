"""New prices while a campaign runs: for who is still expected, and for what is left.

The plan's prices are right for a campaign that comes as forecast. When more users come, or fewer,
or others, the pool runs dry early or stays half full. So prices are solved anew every few minutes,
by the same dual as the plan's: among the users who have not come yet, with bounds that leave each
of them as much as each of those who will come may have. Between two solves prices give way to what
is taken faster or slower than the day allows. A cap cannot be passed either way: the ledger guards
it, and prices only say who is worth it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from incentive_engine.allocation.dual.lagrangian import Point
from incentive_engine.allocation.dual.prices import find_prices
from incentive_engine.allocation.pacing.room import Bounds
from incentive_engine.allocation.pacing.volume import volume
from incentive_engine.allocation.params import SolveParams
from incentive_engine.allocation.plans.choosers import Choosers
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.population.population import Users
from incentive_engine.domain import BoolArray, FloatArray, IntArray
from incentive_engine.knobs import Knobs, knob
from incentive_engine.stats.systematic_sample import evenly


@dataclass(frozen=True, slots=True, kw_only=True)
class PacingParams(Knobs):
    """How prices follow a campaign.

    Attributes
    ----------
    users
        At most so many of the users to come are solved for, drawn systematically; more change
        prices by less than a campaign's own noise.
    tight
        Relative gap of the dual at which prices are good enough.
    believed
        Users after whom half of what they took beyond the forecast counts for those to come:
        fewer follow sooner, and noise as well.
    least, most
        Range of the volume, of what was forecast.
    gain
        How strongly prices give way between two solves, from 0 (not at all): the logarithm of a
        price grows by this times the share of a cap that was taken beyond what the day allows.
        No gain that was tried on simulated days brought more than none.
    """

    users: int = knob(200_000, 1_000, 10**9)
    tight: float = knob(1e-6, 1e-9, 1e-3)
    believed: float = knob(5_000.0, 1.0, 1e12)
    least: float = knob(0.2, 1e-6, 1.0)
    most: float = knob(5.0, 1.0, 1e6)
    gain: float = knob(0.0, 0.0, 100.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where a campaign stands when its prices are solved anew.

    Attributes
    ----------
    seen : (n,) bool
        Who of the plan's population has come; their choice is made.
    came, shares
        How many users had come, strangers included, and the share of the traffic that was
        forecast, 0 to 1, at moments until now; 0 first.
    left
        Limit name to what those to come may take of it; limits that are not named keep their
        own bounds.
    taken
        Limit name to what was ever reserved of it; what came back counts all the same.
    """

    seen: BoolArray
    came: Sequence[int]
    shares: Sequence[float]
    left: Mapping[str, Bounds]
    taken: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStart:
    """What a solve leaves for the next one.

    Attributes
    ----------
    prices
        What it found; prices that give way between two solves do so from these.
    came, share
        Users who had come by it, and the share of the traffic that was forecast.
    left, taken
        Capped limit to what was left of it; limit to what had ever been reserved of it.
    per_user
        Limit to what one user was foreseen to take.
    thirst
        Limit to how many times as much users have taken as was foreseen.
    """

    prices: Mapping[str, float] = field(default_factory=dict)
    came: int = 0
    share: float = 0.0
    left: Mapping[str, float] = field(default_factory=dict)
    taken: Mapping[str, float] = field(default_factory=dict)
    per_user: Mapping[str, float] = field(default_factory=dict)
    thirst: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repriced:
    """New prices, limit name to value given up per unit, and what to remember of them."""

    prices: Mapping[str, float]
    memory: WarmStart


class Pacer:
    """Solves a campaign's prices anew; the same moments and memory give the same prices.

    Attributes
    ----------
    planned
        The users with all offers of the plan; `choosers` are without those that were paused.

    Parameters
    ----------
    choosers
        The plan's population with its enforced limits.
    forecast
        How many users are expected in all.
    params
        How prices follow.
    """

    def __init__(
        self, choosers: Choosers, *, forecast: float, params: PacingParams | None = None
    ) -> None:
        self.choosers = self.planned = choosers
        self.forecast = forecast
        self.params = params or PacingParams()

    def pause(self, offers: Sequence[int]) -> None:
        """Give nobody some of the offers any more, by their places in the problem."""
        self.choosers = self.planned.without(offers)

    def reprice(
        self, moment: Moment, prices: Mapping[str, float], memory: WarmStart | None = None
    ) -> Repriced:
        """Return prices for the rest of the campaign.

        Parameters
        ----------
        prices
            Those of now, from which the search starts.
        memory
            What the last solve left; None: there was none.
        """
        rows, params = self.choosers.rows, self.params
        now = np.array([prices.get(name, 0.0) for name in rows.names], dtype=np.float64)
        lower, upper = bounds_left(rows, moment.left)
        thirst = self._thirst(moment, memory or WarmStart())
        coming = np.flatnonzero(~moment.seen)
        expected = self._to_come(moment)
        per_user = np.zeros(len(now))
        if len(coming) and expected >= 1 and len(now):
            some = systematic_sample(coming, params.users)
            each = len(some) / (expected * thirst)
            crowd = self.choosers.users.take(some)
            point = lowest_within(
                crowd, rows.with_bounds(lower * each, upper * each), now, gap=params.tight
            )
            now = point.prices
            per_user = rows.usage(point.table) / len(some)
        named = self._named(now)
        capped = dict(zip(rows.names, upper.tolist(), strict=True))
        return Repriced(
            prices=named,
            memory=WarmStart(
                prices=named,
                came=moment.came[-1],
                share=float(moment.shares[-1]),
                left={
                    name: capacity for name, capacity in capped.items() if np.isfinite(capacity)
                },
                taken=dict(moment.taken),
                per_user=self._named(per_user * thirst),
                thirst=self._named(thirst),
            ),
        )

    def give_way(self, memory: WarmStart, *, moment: Moment) -> dict[str, float]:
        """Return prices of a moment after a solve; `moment.seen` does not matter.

        A price that is above zero follows the share of its cap that was taken since the last
        solve, beyond the share of the day that went by: up where more was taken, down where less.
        """
        time_left = 1.0 - memory.share
        gone = (moment.shares[-1] - memory.share) / time_left if time_left > 0 else 0.0
        moved = dict(memory.prices)
        for name, left in memory.left.items():
            price = moved.get(name, 0.0)
            if price > 0 and left > 0:
                taken = moment.taken.get(name, 0.0) - memory.taken.get(name, 0.0)
                beyond = np.clip(taken / left - gone, -1, 1)
                moved[name] = price * float(np.exp(self.params.gain * beyond))
        return moved

    def _named(self, numbers: FloatArray) -> dict[str, float]:
        return dict(zip(self.choosers.rows.names, numbers.tolist(), strict=True))

    def _thirst(self, moment: Moment, memory: WarmStart) -> FloatArray:
        """Return (L,) how many times as much of each limit users take as was foreseen."""
        names = self.choosers.rows.names
        thirst = np.array([memory.thirst.get(name, 1.0) for name in names], dtype=np.float64)
        came = moment.came[-1] - memory.came
        if came <= 0:
            return thirst
        foreseen = came * np.array([memory.per_user.get(name, 0.0) for name in names])
        since = [moment.taken.get(name, 0.0) - memory.taken.get(name, 0.0) for name in names]
        was_foreseen = foreseen > 0
        ratio = np.where(
            was_foreseen, np.array(since) / np.where(was_foreseen, foreseen, 1.0), 1.0
        )
        trust = came / (came + self.params.believed)
        grown = thirst * ratio.clip(0.25, 4.0) ** trust
        return np.asarray(grown.clip(0.25, 4.0), dtype=np.float64)

    def _to_come(self, moment: Moment) -> float:
        """Return how many users are still expected."""
        params = self.params
        scale = volume(
            moment.came,
            moment.shares,
            forecast=self.forecast,
            least=params.least,
            most=params.most,
        )
        return self.forecast * scale * (1.0 - min(moment.shares[-1], 1.0))


def bounds_left(rows: LimitRows, left: Mapping[str, Bounds]) -> tuple[FloatArray, FloatArray]:
    """Return what is left of each limit, (L,) float64 lower and upper bounds.

    Parameters
    ----------
    left
        By limit; those that are not named keep their own bounds.
    """
    lower, upper = rows.lower.copy(), rows.upper.copy()
    for place, name in enumerate(rows.names):
        if (bounds := left.get(name)) is not None:
            lower[place] = -np.inf if bounds.at_least is None else bounds.at_least
            upper[place] = np.inf if bounds.at_most is None else max(bounds.at_most, 0.0)
    return lower, upper


def lowest_within(users: Users, rows: LimitRows, start: FloatArray, *, gap: float) -> Point:
    """Return the dual's minimum; floors that the users cannot reach count for nothing.

    Parameters
    ----------
    rows
        The limits, with what is left of them.
    start
        (L,) float64, the former prices, around which the search begins.
    gap
        Relative gap of the dual at which prices are good enough.
    """
    params = SolveParams(price_gap=gap)
    optimum = find_prices(users, rows, start=start, params=params)
    if optimum.impossible:
        without_floors = rows.with_bounds(np.full(len(start), -np.inf), rows.upper)
        optimum = find_prices(users, without_floors, params=params)
    return optimum.point


def systematic_sample(places: IntArray, most: int) -> IntArray:
    """Return at most so many of the places, evenly spread."""
    return places[evenly(len(places), most)]
