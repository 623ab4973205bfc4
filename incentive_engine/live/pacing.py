"""New prices while a campaign runs: for who is still expected, and for what is left.

The plan's prices are right for a campaign that comes as forecast. When more users come, or fewer,
or others, the pool runs dry early or stays half full. So prices are solved anew every few minutes,
by the same dual as the plan's: among the users who have not come yet, with bounds that leave each
of them as much as each of those who will come may have. A cap cannot be passed either way: the
ledger guards it, and prices only say who is worth it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from incentive_engine.allocation import Choosers, SolveParams, find_prices
from incentive_engine.domain import BoolArray, FloatArray, IntArray

NARROW: Final = 0.3
"""Relative half width of the box around the former prices in which new ones are sought first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PacingParams:
    """How prices follow a campaign.

    Attributes
    ----------
    users
        At most so many of the users to come are solved for, drawn systematically; more change
        prices by less than a campaign's own noise. From 1,000.
    tight
        Relative gap of the dual at which prices are good enough, 1e-9 to 1e-3.
    believed
        Users after whom half of what they took beyond the forecast counts for those to come,
        at least 1: fewer follow sooner, and noise as well.
    least, most
        Range of the volume, of what was forecast.
    """

    users: int = 200_000
    tight: float = 1e-6
    believed: float = 5_000.0
    least: float = 0.2
    most: float = 5.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.users < 1000 or not 1e-9 <= self.tight <= 1e-3 or self.believed < 1:
            raise ValueError("users from 1000, tight from 1e-9 to 1e-3, believed from 1")
        if not 0 < self.least <= 1 <= self.most:
            raise ValueError("0 < least ≤ 1 ≤ most")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is left of one limit; None where it has no such bound."""

    at_least: float | None
    at_most: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where a campaign stands when its prices are solved anew.

    Attributes
    ----------
    seen : (n,) bool
        Who of the plan's population has come; their choice is made.
    came
        How many users have come, strangers included.
    share
        Share of the traffic that was forecast until now, 0 to 1.
    left
        Limit name to what is left of it; limits that are not named keep their own bounds.
    """

    seen: BoolArray
    came: int
    share: float
    left: Mapping[str, Bounds]


def volume(
    came: Sequence[int], shares: Sequence[float], *, forecast: float, params: PacingParams
) -> float:
    """Return how many users come of those that were forecast, as far as one can tell by now.

    Parameters
    ----------
    came, shares
        Users who had come, and the share that was forecast, at each moment until now; 0 first.
    forecast
        Users who were to come in all.

    Notes
    -----
    Each stretch of time says how many came of those that were to come in it; the median over
    stretches, each counted by its forecast, is not moved by a rush of some minutes. It counts by
    the root of the share that is over: early it says little about the day, late nearly all.

    >>> volume([0, 13, 26], [0.0, 0.5, 1.0], forecast=20, params=PacingParams())
    1.3
    """
    users, parts = np.diff(came), np.diff(shares)
    told = parts > 0
    if not told.any() or forecast <= 0:
        return 1.0
    ratio, weight = users[told] / (parts[told] * forecast), parts[told]
    order = np.argsort(ratio)
    half = np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)
    middle = ratio[order][min(half, len(order) - 1)]
    damped = max(middle, 1e-9) ** np.sqrt(min(shares[-1], 1.0))
    return float(np.clip(damped, params.least, params.most))


class Pacer:
    """Solves a campaign's prices anew, again and again; the same moments give the same prices.

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
        self.choosers = choosers
        self.forecast = forecast
        self.params = params or PacingParams()
        self._came, self._shares = [0], [0.0]
        self._upper = choosers.rows.upper.copy()
        self._per_user: FloatArray | None = None
        self._thirst = np.ones(len(choosers.rows.names))

    def pause(self, offers: Sequence[int]) -> None:
        """Give nobody some of the offers any more, by their places in the problem."""
        self.choosers = self.choosers.without(offers)

    def reprice(self, moment: Moment, prices: Mapping[str, float]) -> dict[str, float]:
        """Return prices for the rest of the campaign, limit name to value given up per unit.

        Parameters
        ----------
        prices
            Those of now, from which the search starts.
        """
        rows = self.choosers.rows
        now = np.array([prices.get(name, 0.0) for name in rows.names], dtype=np.float64)
        lower, upper = self._left(moment)
        self._learn(moment, upper)
        coming = np.flatnonzero(~moment.seen)
        expected = self._to_come(moment.share)
        if not len(coming) or expected < 1 or not len(now):
            return dict(zip(rows.names, now.tolist(), strict=True))
        some = systematic_sample(coming, self.params.users)
        each = len(some) / (expected * self._thirst)
        crowd = self.choosers.users.take(some)
        bound = rows.with_bounds(lower * each, upper * each)
        params = SolveParams(price_gap=self.params.tight)
        found = find_prices(crowd, bound, start=now, radius=NARROW, params=params)
        if found.impossible:  # floors that those to come cannot reach: what they can is enough
            bound = rows.with_bounds(np.full(len(now), -np.inf), upper * each)
            found = find_prices(crowd, bound, params=params)
        self._per_user = rows.usage(found.point.table) / len(some)
        return dict(zip(rows.names, found.point.prices.tolist(), strict=True))

    def _left(self, moment: Moment) -> tuple[FloatArray, FloatArray]:
        """Return what is left of each limit, (L,) lower and upper bounds."""
        rows = self.choosers.rows
        lower, upper = rows.lower.copy(), rows.upper.copy()
        for place, name in enumerate(rows.names):
            if (rest := moment.left.get(name)) is not None:
                lower[place] = -np.inf if rest.at_least is None else rest.at_least
                upper[place] = np.inf if rest.at_most is None else max(rest.at_most, 0.0)
        return lower, upper

    def _learn(self, moment: Moment, upper: FloatArray) -> None:
        """Note who came, and how much more of each cap they took than the last prices foresaw."""
        came = moment.came - self._came[-1]
        if self._per_user is not None and came > 0:
            foreseen = self._per_user * came
            told = np.isfinite(self._upper) & np.isfinite(upper) & (foreseen > 0)
            taken = np.where(told, self._upper, 0.0) - np.where(told, upper, 0.0)
            ratio = np.where(told, taken / np.where(told, foreseen, 1.0), 1.0).clip(0.25, 4.0)
            trust = came / (came + self.params.believed)
            self._thirst = (self._thirst * ratio**trust).clip(0.25, 4.0)
        self._upper = upper
        self._came.append(moment.came)
        self._shares.append(moment.share)

    def _to_come(self, share: float) -> float:
        """Return how many users are still expected."""
        scale = volume(self._came, self._shares, forecast=self.forecast, params=self.params)
        return self.forecast * scale * (1.0 - min(share, 1.0))


def systematic_sample(places: IntArray, most: int) -> IntArray:
    """Return at most so many of the places, evenly spread."""
    if len(places) <= most:
        return places
    return places[np.linspace(0, len(places) - 1, most).astype(np.int64)]
