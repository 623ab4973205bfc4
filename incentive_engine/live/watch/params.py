"""How the watch looks, and how often it may be wrong."""

from __future__ import annotations

from dataclasses import dataclass

from incentive_engine.domain import MICROS
from incentive_engine.stats.sequential import SETTLED


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchParams:
    """How the watch looks.

    Attributes
    ----------
    error
        The chance of any false alarm in a week in which every campaign goes to plan, however often
        one looks, all tests and campaigns together; 0 to 1. A campaign of several weeks has it for
        all of its time.
    campaigns
        How many campaigns are watched in a week; they share the error. At least 1.
    of_shortfall
        The part of a campaign's error that is for a gain below what was stated: outcomes are slow
        to tell it, and it costs most. 0 to 1.
    traffic, pool, floor, redemption
        Relative departures that are no news: a forecast is never exact. At least 0, below 1.
    untaken
        An offer counts as one that nobody takes below this share of its forecast, 0 to 1.
    visits
        How often a user asks on average in a campaign, at least 0.1; far more is too often. A key
        of the service asks too often where it asks more than that for each user who came.
    steps
        Into how many steps a week or less is cut for the tests, from 8.
    patience
        Reservations that are open longer than this, microseconds, count as they were expected.
    settled_after
        How long after his decision a user's outcome counts, microseconds.
    users
        At most so many users to come are solved for, from 1,000.
    """

    error: float = 0.05
    campaigns: int = 1
    of_shortfall: float = 0.3
    traffic: float = 0.10
    pool: float = 0.05
    floor: float = 0.10
    redemption: float = 0.15
    untaken: float = 0.25
    visits: float = 5.0
    steps: int = 96
    patience: int = 6 * 3600 * MICROS
    settled_after: int = round(SETTLED * 3600 * MICROS)
    users: int = 100_000

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 < self.error < 1 or self.steps < 8 or self.users < 1_000 or self.visits < 0.1:
            raise ValueError("error within 0 and 1, steps from 8, users from 1000, visits from .1")
        if self.campaigns < 1 or not 0 < self.of_shortfall < 1:
            raise ValueError("campaigns from 1, of_shortfall within 0 and 1")
        margins = (self.traffic, self.pool, self.floor, self.redemption, self.untaken)
        if not all(0 <= margin < 1 for margin in margins):
            raise ValueError("margins from 0, below 1")

    @property
    def of_campaign(self) -> float:
        """The error of one campaign."""
        return self.error / self.campaigns

    @property
    def of_gain(self) -> float:
        """The error of a gain that falls short."""
        return self.of_campaign * self.of_shortfall

    @property
    def of_test(self) -> float:
        """The error of one other kind of tests."""
        # kinds of tests that share what the stated gain's shortfall leaves of the error: traffic
        # short and above, pools, floors, redemption above and below, offers nobody takes, users
        # too often, keys too often, more gain than was stated
        tests = 10
        return self.of_campaign * (1 - self.of_shortfall) / tests
