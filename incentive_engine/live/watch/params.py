"""How the watch looks, and how often it may be wrong."""

from __future__ import annotations

from dataclasses import dataclass

from incentive_engine.domain import MICROS


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchParams:
    """How the watch looks.

    Attributes
    ----------
    error
        The chance of any false alarm in a campaign that goes to plan, however often one looks, all
        tests together; 0 to 1. Campaigns longer than a week have a week's budget each week.
    traffic, pool, floor, redemption
        Relative departures that are no news: a forecast is never exact. At least 0, below 1.
    untaken
        An offer counts as one that nobody takes below this share of its forecast, 0 to 1.
    visits
        How often a user asks on average in a campaign, at least 0.1; far more is too often.
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
    traffic: float = 0.10
    pool: float = 0.05
    floor: float = 0.10
    redemption: float = 0.15
    untaken: float = 0.25
    visits: float = 5.0
    steps: int = 96
    patience: int = 6 * 3600 * MICROS
    settled_after: int = 2 * 3600 * MICROS
    users: int = 100_000

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 < self.error < 1 or self.steps < 8 or self.users < 1_000 or self.visits < 0.1:
            raise ValueError("error within 0 and 1, steps from 8, users from 1000, visits from .1")
        margins = (self.traffic, self.pool, self.floor, self.redemption, self.untaken)
        if not all(0 <= margin < 1 for margin in margins):
            raise ValueError("margins from 0, below 1")

    @property
    def of_test(self) -> float:
        """The error of one kind of tests."""
        # kinds of tests among which the error is shared: traffic short and above, pools, floors,
        # redemption above and below, offers nobody takes, users too often, the stated gain
        tests = 9
        return self.error / tests
