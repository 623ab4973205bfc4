"""How the watch looks, and how often it may be wrong."""

from __future__ import annotations

from dataclasses import dataclass

from incentive_engine.domain import MICROS
from incentive_engine.knobs import Knobs, knob
from incentive_engine.stats.sequential import GAIN_TEST


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchParams(Knobs):
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
    more, less
        How many times the amount that was planned is bet on, where there may be too much, above 1,
        and where there may be too little, below 1.
    """

    error: float = knob(0.05, 1e-12, 0.999)
    campaigns: int = knob(1, 1, 10**6)
    of_shortfall: float = knob(0.3, 1e-6, 0.999)
    traffic: float = knob(0.10, 0.0, 0.999)
    pool: float = knob(0.05, 0.0, 0.999)
    floor: float = knob(0.10, 0.0, 0.999)
    redemption: float = knob(0.15, 0.0, 0.999)
    untaken: float = knob(0.25, 0.0, 0.999)
    visits: float = knob(5.0, 0.1, 1e9)
    steps: int = knob(96, 8, 10**6)
    patience: int = knob(6 * 3600 * MICROS, 0, 10**15)
    settled_after: int = knob(round(GAIN_TEST.settled_hours * 3600 * MICROS), 0, 10**15)
    users: int = knob(100_000, 1_000, 10**9)
    more: tuple[float, ...] = (1.1, 1.25, 1.6, 2.5, 5.0)
    less: tuple[float, ...] = (0.9, 0.75, 0.5, 0.25, 0.02)

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
